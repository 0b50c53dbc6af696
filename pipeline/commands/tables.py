"""Tables, their columns and their publications as grids on a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from pipeline.home import Home
from pipeline.runtime.plain import plain, terminal
from pipeline.storage.history import Entry
from pipeline.tables.registry import table_named
from pipeline.tables.texts import null_text, range_text, type_text


def print_tables(home: Home) -> None:
    grid = Grid("table", "days", "first", "last", "rows", "rows on last", "meaning", box=None)
    for name, it in home.tables().items():
        first, last = (min(it.days), max(it.days)) if it.days else ("-", "-")
        total = str(sum(it.days.values())) if it.days and not it.is_state else "-"
        newest = str(it.days[last]) if it.days else "-"
        grid.add_row(*_cells(name, str(len(it.days)), first, last, total, newest, it.meaning))
    _print(grid)


def print_columns(name: str) -> None:
    grid = Grid("column", "type", "unit", "range", "null", "since", "meaning", box=None)
    for column in table_named(name).columns:
        texts = type_text(column.type), column.unit, range_text(column), null_text(column)
        grid.add_row(*_cells(column.name, *texts, column.since, column.meaning))
    _print(grid)


def print_history(entries: Sequence[Entry]) -> None:
    grid = Grid("published (UTC)", "snapshot", "days", "rows", "run", "restored", box=None)
    for it in entries:
        span = it.first if len(it.days) == 1 else f"{it.first}..{it.last} ({len(it.days)})"
        restored = str(it.restored or "")
        grid.add_row(*_cells(f"{it.published:%F %T}", str(it.snapshot_id), span, str(it.rows), it.run, restored))
    Console(width=200).print(grid)


def _cells(*texts: str) -> list[str]:
    """Texts as they are, none of them markup of the grid or of the terminal."""
    return [escape(plain(text)) for text in texts]


def _print(grid: Grid) -> None:
    console = Console(file=terminal())
    console.print(grid) if console.is_terminal else Console(width=200).print(grid)
