"""Print what landed rows became, for the person who writes a source file."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table as Grid

SHOWN = ("account_id", "item_id", "event_type", "event_time", "quantity", "price", "attributes")
SAMPLE_ROWS = 8
EXAMPLES = 3  # rejected rows shown per reason


def show_rows(raw: DataFrame) -> None:
    """Mapped rows, counts by event type, rejects by reason, of rows of `raw_events`."""
    valid, rejected = raw.where("reject_reason IS NULL"), raw.where("reject_reason IS NOT NULL")
    _show("mapped rows", valid.select(*SHOWN).limit(SAMPLE_ROWS))
    _show("events by type", valid.groupBy("event_type").count().orderBy("event_type"))
    _show("rejected rows by reason", _by_reason(rejected))


def _by_reason(rejected: DataFrame) -> DataFrame:
    """Reason, rows, and the first few of them."""
    example = F.struct("source_file", "record")
    examples = F.slice(F.array_sort(F.collect_list(example)), 1, EXAMPLES)
    by_reason = rejected.groupBy("reject_reason")
    return by_reason.agg(F.count("*").alias("rows"), F.array_join(examples["record"], "\n").alias("examples")).orderBy(
        "reject_reason"
    )


def _show(title: str, rows: DataFrame) -> None:
    grid = Grid(*rows.columns, title=title, title_justify="left", box=None)
    for row in rows.collect():
        grid.add_row(*["" if value is None else str(value) for value in row])
    console = Console()
    console.print(grid) if console.is_terminal else Console(width=200).print(grid)
