"""What every training and scoring job has: arguments, pinned reads, one clear last line."""

import argparse
import os
import time
from collections.abc import Callable

import pyarrow.dataset as arrow_dataset

from pipeline.runtime.days import day_range
from pipeline.runtime.errors import NotPublishedError, UsageError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.reading import pinned_files, published
from pipeline.tables.schema import Table

# Models are read from packages and paths: nothing is looked up on a network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """A parser with `--run`; its description is the job's docstring."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", default=f"manual-{time.time_ns()}", help="id shared by steps")
    return parser


def add_range(parser: argparse.ArgumentParser) -> None:
    """`--ds D`, or `--from D1 --to D2`."""
    parser.add_argument("--ds", help="one day")
    parser.add_argument("--from", dest="first", help="first day of a range")
    parser.add_argument("--to", dest="last", help="last day of a range")


def wanted_days(given: argparse.Namespace) -> list[str]:
    """The days that `add_range`'s options name. Raises UsageError when they name none."""
    first, last = given.ds or given.first, given.ds or given.last
    if not first or not last:
        raise UsageError("days: expected --ds D or --from D1 --to D2")
    return day_range(first, last)


def open_day(
    settings: Settings, table: Table, ds: str, agree: Callable[[int], int] = lambda own: own
) -> tuple[int, arrow_dataset.Dataset]:
    """The snapshot id and the rows of one published day, to be read in batches.

    `agree` turns this process's snapshot id into the one that all processes of a job read.

    Raises NotPublishedError when the day is not published.
    """
    days = published(table.name, settings)
    if ds not in days:
        found = f"{len(days)} days, {min(days)}..{max(days)}" if days else "none"
        raise NotPublishedError(
            f"{table.name} ds={ds}: not published; published are {found}; "
            "run the steps that write it first"
        )
    newest, _ = pinned_files(table.name, ds, ds, settings)
    assert newest is not None, "a published table has a snapshot"
    snapshot = agree(newest)
    _, files = pinned_files(table.name, ds, ds, settings, snapshot)
    paths = [path.removeprefix("file://") for path in files]
    return snapshot, arrow_dataset.dataset(paths, schema=table.schema, format="parquet")


def open_staged(settings: Settings, table: Table, ds: str, run: str) -> arrow_dataset.Dataset:
    """The rows that a run has staged of one day. Raises StagingError when it has staged nothing."""
    parts = staging.current(settings, table.name, run)
    paths = [path for part in parts for path in part.days.get(ds, [])]
    return arrow_dataset.dataset(paths, schema=table.schema, format="parquet")
