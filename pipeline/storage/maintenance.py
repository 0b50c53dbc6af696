"""Expire old snapshots, then remove the files that nothing refers to any longer.

    python -m pipeline maintenance

Iceberg forgets a snapshot but leaves its files; a job that died leaves an attempt. Both are kept for `retention_days`,
which protects whatever is being written or read now, and are then removed. A rollback can go back that far. Tables that
are published again every hour keep two days.
"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyiceberg.table import Table as IcebergTable

from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import load_table, own_table
from pipeline.tables.intraday import INTRADAY_TABLES
from pipeline.tables.registry import TABLES

# What an hour replaced is useful within the day; keeping a month of hours makes commits take seconds.
HOURLY_DAYS = 2


def maintain(settings: Settings) -> dict[str, tuple[int, int]]:
    """Expires snapshots and removes files; returns the counts per table that was ever published or staged."""
    done = {}
    for table in TABLES.values():
        iceberg = own_table(settings, table)
        days = settings.retention_days
        if table in INTRADAY_TABLES:
            days = min(days, HOURLY_DAYS)
        expired = _expire(iceberg, days) if iceberg else 0
        removed = _remove_orphans(settings, table.name, load_table(settings, table), days)
        done[table.name] = (expired, removed)
    return done


def _expire(iceberg: IcebergTable, days: int) -> int:
    """Expires snapshots older than `days`; the current one is always kept."""
    before = len(iceberg.snapshots())
    limit = datetime.now(UTC) - timedelta(days=days)
    if any(it.timestamp_ms < limit.timestamp() * 1000 for it in iceberg.snapshots()):
        iceberg.maintenance.expire_snapshots().older_than(limit).commit()
    return before - len(iceberg.refresh().snapshots())


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
