"""Find out that the catalogue is older than the files: that it was restored from a backup.

Every commit writes a numbered metadata file and then points the catalogue at it, so a file that the catalogue does not
know was written after the backup was made. What it describes is published no more, and its data files look like
orphans, though they may be the only copy of those days.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

from pyiceberg.table import Table as IcebergTable

from pipeline.runtime.errors import TidemarkError
from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import NAMESPACE, load_table
from pipeline.tables.registry import TABLES
from pipeline.tables.schema import Table


class CatalogueError(TidemarkError):
    """The catalogue does not know files that were published: it is older than they are."""


def check_age(settings: Settings) -> None:
    """Raises CatalogueError when a table's files are newer than the catalogue."""
    if found := newer_files(settings):
        raise CatalogueError(f"{explained(found)}; nothing was removed")


def explained(found: dict[str, str]) -> str:
    """One message for everything that `newer_files` found."""
    tables = "; ".join(f"{name}: {what}" for name, what in found.items())
    return (
        f"catalogue: expected it to know every published file, found newer ones ({tables}): it is an older backup; put "
        "the newer catalogue back, or run those days again and then `python -m pipeline maintenance "
        "--older-catalogue`, which gives up what only the newer one knew"
    )


def newer_files(settings: Settings) -> dict[str, str]:
    """The tables whose metadata files the catalogue does not know, with what it knows and what there is."""
    found = {}
    for table in TABLES.values():
        files = _numbered(settings, table)
        if files and (what := _compared(files, load_table(settings, table))):
            found[table.name] = what
    return found


def _compared(files: dict[Path, int], iceberg: IcebergTable | None) -> str:
    newest = max(files, key=lambda file: (files[file], file.stat().st_mtime))
    if iceberg is None:
        # A process that loses the race to create a table leaves a first file.
        return f"it knows no table, there is one of {_written(newest)}" if files[newest] else ""
    current = _path(iceberg.metadata_location)
    if files[newest] > files.get(current, -1):
        return f"it knows the state of {_written(current)}, there is one of {_written(newest)}"
    lost = _lost(files, iceberg)
    return f"a state of {_written(lost)} is no part of its history" if lost else ""


def _lost(files: dict[Path, int], iceberg: IcebergTable) -> Path | None:
    """The newest file that follows another one outside the history: commits since a backup that was restored.

    A publisher that lost a race leaves a file too, but one that follows a file of the history.
    """
    known = {_path(it.metadata_file) for it in iceberg.metadata.metadata_log} | {_path(iceberg.metadata_location)}
    unknown = {file for file in files if file not in known}
    for file in sorted(unknown, key=lambda it: -files[it]):
        log = json.loads(file.read_text()).get("metadata-log", [])
        if log and _path(log[-1]["metadata-file"]) in unknown:
            return file
    return None


def _numbered(settings: Settings, table: Table) -> dict[Path, int]:
    """The metadata files of a table, with their numbers."""
    folder = settings.warehouse / NAMESPACE / table.name / "metadata"
    return {file: int(file.name.split("-")[0]) for file in folder.glob("*-*.metadata.json")}


def _written(file: Path) -> str:
    if not file.exists():
        return "a file that is gone"
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M")


def _path(location: str) -> Path:
    return Path(location.removeprefix("file://"))
