"""`python -m pipeline history TABLE`: who published what, newest first."""

import argparse
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table as Grid

from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import load_table
from pipeline.storage.publish import published_by
from pipeline.tables.registry import table_named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    iceberg = load_table(settings, table_named(arguments.table))
    grid = Grid("published (UTC)", "snapshot", "days", "rows", "run", "restored", box=None)
    seen: set[str] = set()
    for snapshot in sorted(iceberg.snapshots() if iceberg else [], key=_newest_first):
        days = published_by(snapshot)
        if not days or repr(days) in seen:  # a publication is a delete and an append snapshot
            continue
        seen.add(repr(days))
        when = datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC)
        first = days[min(days)]
        span = min(days) if len(days) == 1 else f"{min(days)}..{max(days)} ({len(days)})"
        rows = str(sum(day.rows for day in days.values()))
        restored = str(first.restored or "")
        grid.add_row(f"{when:%F %T}", str(snapshot.snapshot_id), span, rows, first.run, restored)
    Console(width=200).print(grid)
    return 0


def _newest_first(snapshot: object) -> int:
    return -int(getattr(snapshot, "sequence_number", 0) or 0)
