"""Read published tables.

    from pipeline.storage.reading import scan, read
    scan("user_features").to_polars()              # Polars
    scan("user_features", ds="2011-11-09").to_pandas()
    read("user_features", ds="2011-11-09")         # Arrow

A read sees one snapshot: a publish that happens meanwhile is not seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.dataset as arrow_dataset
from pyiceberg.table import ALWAYS_TRUE, DataScan

from pipeline.runtime.errors import NotPublishedError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage import staging
from pipeline.storage.catalog import load_table
from pipeline.storage.declared import arrow_dataset_of, as_declared
from pipeline.storage.publications import Gone, Publication, gone_of, publications
from pipeline.storage.retention import REMOVED, check_whole
from pipeline.storage.staging import Manifest
from pipeline.tables.registry import table_named
from pipeline.tables.schema import Table


def scan(name: str, ds: str | None = None, settings: Settings | None = None) -> DataScan:
    """A lazy scan of a table or of one day of it.

    Raises NotPublishedError when the table or the day has not been published.
    """
    settings = settings or load_settings()
    iceberg = load_table(settings, table_named(name))
    days = publications(iceberg)
    if iceberg is None or not days:
        raise NotPublishedError(f"{name}: nothing has been published yet; see `status`")
    if ds is not None and ds not in days:
        why = REMOVED if ds in gone_of(iceberg) else "not published"
        raise NotPublishedError(
            f"{name} ds={ds}: {why}; published are {len(days)} days, "
            f"{min(days)}..{max(days)}; see `python -m pipeline tables`"
        )
    return iceberg.scan(row_filter=f"ds = '{ds}'" if ds else ALWAYS_TRUE)


def read(name: str, ds: str | None = None, settings: Settings | None = None) -> pa.Table:
    """The rows as Arrow, in the declared column types."""
    return as_declared(scan(name, ds, settings).to_arrow(), table_named(name))


def published(name: str, settings: Settings) -> dict[str, Publication]:
    """The published days of a table with who published them, oldest first; empty when none."""
    return publications(load_table(settings, table_named(name)))


@dataclass(frozen=True)
class Loaded:
    """The days that were published and need not be loaded: they are there, or maintenance has taken them out."""

    days: frozenset[str]
    gone: Gone

    def __contains__(self, ds: str) -> bool:
        return ds in self.days or ds in self.gone


def loaded(name: str, settings: Settings) -> Loaded:
    """The days of a table that were loaded once."""
    iceberg = load_table(settings, table_named(name))
    return Loaded(frozenset(publications(iceberg)), gone_of(iceberg))


def pinned_files(
    name: str, first: str, last: str, settings: Settings, snapshot_id: int | None = None
) -> tuple[int | None, list[str]]:
    """Snapshot id and data files of [first, last], for engines that read Parquet themselves.

    Raises NotPublishedError when a snapshot is asked for that is not kept any more, or days of a log that retention has
    removed.
    """
    iceberg = load_table(settings, table_named(name))
    if iceberg is None or iceberg.current_snapshot() is None:
        return None, []
    if snapshot_id and iceberg.snapshot_by_id(snapshot_id) is None:
        raise NotPublishedError(
            f"{name}: expected snapshot {snapshot_id}, which has expired: snapshots are kept for "
            f"{settings.retention_days} days (TIDEMARK_RETENTION_DAYS); read the newest instead"
        )
    if snapshot_id is None:
        check_whole(iceberg, table_named(name), first, last)
    days = f"ds >= '{first}' and ds <= '{last}'"
    planned = iceberg.scan(row_filter=days, snapshot_id=snapshot_id).plan_files()
    snapshot = snapshot_id or iceberg.metadata.current_snapshot_id
    return snapshot, sorted(task.file.file_path for task in planned)


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
            f"{table.name} ds={ds}: not published; published are {found}; run the steps that write it first"
        )
    newest, _ = pinned_files(table.name, ds, ds, settings)
    assert newest is not None, "a published table has a snapshot"
    snapshot = agree(newest)
    _, files = pinned_files(table.name, ds, ds, settings, snapshot)
    return snapshot, arrow_dataset_of(table, files)


def open_staged(settings: Settings, table: Table, ds: str, run: str) -> arrow_dataset.Dataset:
    """The rows that a run has staged of one day. Raises StagingError when it has staged nothing."""
    return open_manifests(table, ds, staging.current(settings, table.name, run))


def open_manifests(table: Table, ds: str, manifests: Sequence[Manifest]) -> arrow_dataset.Dataset:
    """The rows of one day that these attempts have staged."""
    paths = [path for manifest in manifests for path in manifest.days.get(ds, [])]
    return arrow_dataset_of(table, paths)
