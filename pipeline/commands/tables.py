"""`python -m pipeline tables [TABLE]`: what there is to read."""

import argparse

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from pipeline.runtime.settings import Settings
from pipeline.storage.reading import published
from pipeline.tables.registry import TABLES, table_named
from pipeline.tables.texts import null_text, range_text, type_text


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
    grid = Grid("column", "type", "unit", "range", "null", "since", "meaning", box=None)
    for column in table_named(name).columns:
        texts = type_text(column.type), column.unit, range_text(column), null_text(column)
        grid.add_row(*map(escape, (column.name, *texts, column.since, column.meaning)))
    _print(grid)


def _print(grid: Grid) -> None:
    console = Console()
    console.print(grid) if console.is_terminal else Console(width=200).print(grid)
