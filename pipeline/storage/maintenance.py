"""Take out days that need not stay, expire old snapshots, remove the files that nothing refers to any longer.

    python -m pipeline maintenance [--dry-run]

How long days stay is declared with each table (`pipeline/storage/retention.py`). Iceberg forgets a snapshot but leaves
its files; a job that died leaves an attempt. Both are kept for `retention_days`, which protects whatever is being
written or read now, and are then removed. A rollback can go back that far. Tables that are published again every hour
keep two days. Where nothing was published for as long by this machine's clock, both stay as long again: the clock may
have jumped.
"""

import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from pyiceberg.table import Table as IcebergTable

from pipeline.runtime.settings import Settings
from pipeline.storage import provenance, retention
from pipeline.storage.catalog import load_table, own_table
from pipeline.storage.catalogue_age import check_age
from pipeline.storage.publications import publications, published_by
from pipeline.storage.retention import Needs
from pipeline.tables.intraday import INTRADAY_TABLES
from pipeline.tables.registry import TABLES
from pipeline.tables.schema import Table

# What an hour replaced is useful within the day; keeping a month of hours makes commits take seconds.
HOURLY_DAYS = 2
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Done:
    """What went of a table."""

    days: list[str] = field(default_factory=list)
    snapshots: int = 0
    files: int = 0


def maintain(settings: Settings, needs: Needs | None = None, older_catalogue: bool = False) -> dict[str, Done]:
    """Takes out days, expires snapshots and removes files of every table; returns what went.

    `needs`: what else is read, and stays. Raises CatalogueError before anything is removed when the catalogue is older
    than the files, unless `older_catalogue` is given; SettingsError when less is to be kept than is read.
    """
    needs = needs or Needs()
    retention.check(settings)
    if not older_catalogue:
        check_age(settings)
    times = publishing_times(settings)  # before days are taken out, which is a publication too
    return {table.name: _maintain(settings, table, needs, times) for table in TABLES.values()}


def publishing_times(settings: Settings) -> list[float]:
    """When something was published, of all snapshots there are, and now: days since 1970 by this machine's clock."""
    tables = (load_table(settings, table) for table in TABLES.values())
    published = {it.timestamp_ms / DAY_MS for iceberg in tables if iceberg for it in iceberg.snapshots()}
    return [*sorted(published), time.time() * 1000 / DAY_MS]


def pause(times: list[float], days: float) -> float:
    """The longest time without a publication that ended within the last `days`: more than these may be a clock that
    jumped, which makes all that was there before look old."""
    now = times[-1]
    known = [time for time in times if time <= now]  # a clock that was set back has published in what is to come
    return max((time - before for before, time in pairwise(known) if time >= now - days), default=0.0)


def plan(settings: Settings, needs: Needs | None = None) -> dict[str, dict[str, str]]:
    """Table -> the days that maintenance would take out now, each with the reason."""
    retention.check(settings)
    return {table.name: retention.planned(settings, table, needs or Needs()) for table in TABLES.values()}


def _maintain(settings: Settings, table: Table, needs: Needs, times: list[float]) -> Done:
    days = settings.retention_days
    if table in INTRADAY_TABLES:
        days = min(days, HOURLY_DAYS)
    gone = retention.remove(settings, table, needs)
    iceberg = own_table(settings, table)
    if pause(times, days) > max(days, 1):
        return Done(gone)
    expired = _expire(iceberg, days, needs.snapshots.get(table.name, set())) if iceberg else 0
    provenance.forget(settings, table.name, _contents(iceberg))
    return Done(gone, expired, _remove_orphans(settings, table.name, load_table(settings, table), days))


def _contents(iceberg: IcebergTable | None) -> set[tuple[str, str]]:
    """(ds, digest) of everything that is published or that a rollback can bring back."""
    known = [publications(iceberg), *(published_by(it) for it in (iceberg.snapshots() if iceberg else ()))]
    return {(ds, it.digest) for days in known for ds, it in days.items()}


def _expire(iceberg: IcebergTable, days: int, needed: set[int]) -> int:
    """Expires snapshots older than `days` but those needed; the current one is always kept."""
    limit = time.time() * 1000 - days * DAY_MS
    kept = needed | {iceberg.metadata.current_snapshot_id or 0}
    old = [it.snapshot_id for it in iceberg.snapshots() if it.timestamp_ms < limit and it.snapshot_id not in kept]
    if old:
        iceberg.maintenance.expire_snapshots().by_ids(old).commit()
    return len(old)


def _remove_orphans(settings: Settings, name: str, iceberg: IcebergTable | None, days: int) -> int:
    kept = _referenced(iceberg) if iceberg else set()
    folders = [settings.staging / name, settings.warehouse / "tidemark" / name / "metadata"]
    limit = time.time() - days * 86_400
    removed = 0
    for folder in folders:
        aged = [path for path in folder.rglob("*") if path.stat().st_mtime < limit]
        for path in sorted(aged, reverse=True):  # files before their folders
            if path.is_dir():
                _remove_if_empty(path)
            elif str(path) not in kept:
                path.unlink()
                removed += 1
    return removed


def _referenced(iceberg: IcebergTable) -> set[str]:
    """Paths of every file that some snapshot, or the metadata log, still refers to."""
    locations = {iceberg.metadata_location}
    locations |= {entry.metadata_file for entry in iceberg.metadata.metadata_log}
    locations |= {snapshot.manifest_list for snapshot in iceberg.snapshots()}
    manifests = set(iceberg.inspect.all_manifests()["path"].to_pylist())
    if manifests:  # none where every day that was published was empty
        locations |= manifests | set(iceberg.inspect.all_data_files()["file_path"].to_pylist())
    return {location.removeprefix("file://") for location in locations}


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
