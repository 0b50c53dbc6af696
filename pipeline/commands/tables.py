"""`python -m pipeline tables [TABLE]`: what there is to read."""

import argparse

from rich.console import Console
from rich.table import Table as Grid

from pipeline.reading import published
from pipeline.settings import Settings
from pipeline.table_schema import Column
from pipeline.tables import TABLES, table_named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", nargs="?", help="show the columns of this table")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    if arguments.table:
        _print_columns(arguments.table)
    else:
        _print_tables(settings)
    return 0


def _print_tables(settings: Settings) -> None:
    grid = Grid("table", "days", "first", "last", "rows", "rows on last", "meaning", box=None)
    for table in TABLES.values():
        days = published(table.name, settings)
        rows = [publication.rows for publication in days.values()]
        first, last = (min(days), max(days)) if days else ("-", "-")
        total = str(sum(rows)) if rows and not table.snapshot else "-"
        newest = str(rows[-1]) if rows else "-"
        grid.add_row(table.name, str(len(days)), first, last, total, newest, table.meaning)
    _print(grid)


def _print_columns(name: str) -> None:
    grid = Grid("column", "type", "unit", "rule", "meaning", box=None)
    for column in table_named(name).columns:
        kind = str(column.type)
        grid.add_row(column.name, kind, column.unit, _rule(column), column.meaning)
    _print(grid)


def _rule(column: Column) -> str:
    rules = ["not null"] if column.required else []
    if column.minimum is not None:
        rules.append(f">= {column.minimum}")
    if column.maximum is not None:
        rules.append(f"<= {column.maximum}")
    if column.values:
        rules.append("one of " + ", ".join(column.values))
    return "; ".join(rules)


def _print(grid: Grid) -> None:
    console = Console()
    console.print(grid) if console.is_terminal else Console(width=200).print(grid)
