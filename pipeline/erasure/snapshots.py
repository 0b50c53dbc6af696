"""Old snapshots that hold a person, forgotten at once, and every file that was theirs alone.

A rollback to one of them is impossible afterwards. Snapshots without the person stay.
"""

from pathlib import Path

from pyiceberg.manifest import ManifestFile
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot

from pipeline.runtime.errors import FencedError
from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import own_table
from pipeline.storage.publications import published_by
from pipeline.tables.schema import Table


def snapshots_holding(settings: Settings, table: Table, files: set[str]) -> dict[int, bool]:
    """Every snapshot that is kept → whether rows of `files` are in it."""
    iceberg = own_table(settings, table)
    if iceberg is None:
        return {}
    known: dict[str, bool] = {}
    return {it.snapshot_id: _names(iceberg, it, files, known, gone=False) for it in iceberg.snapshots()}


def forget_snapshots(settings: Settings, table: Table, files: set[str]) -> int:
    """Expires the snapshots that name `files`, also as deleted, and removes their manifests.

    A manifest keeps the least and the greatest user of each file. Returns snapshots expired. Raises FencedError when
    the current snapshot holds one of the files.
    """
    iceberg = own_table(settings, table)
    if iceberg is None:
        return 0
    known: dict[str, bool] = {}
    naming = [it for it in iceberg.snapshots() if _names(iceberg, it, files, known, gone=True)]
    naming += [it for it in _first_halves(iceberg, naming) if it not in naming]
    current = iceberg.metadata.current_snapshot_id
    if any(snapshot.snapshot_id == current for snapshot in naming):
        raise FencedError(
            f"{table.name}: expected the current snapshot to hold nothing of the person, found "
            "that it does; erase once more"
        )
    if naming:
        before = _metadata_files(iceberg)
        ids = [snapshot.snapshot_id for snapshot in naming]
        iceberg.maintenance.expire_snapshots().by_ids(ids).commit()
        for path in before - _metadata_files(iceberg.refresh()):
            path.unlink(missing_ok=True)
    return len(naming)


def _first_halves(iceberg: IcebergTable, snapshots: list[Snapshot]) -> list[Snapshot]:
    """A publication deletes a day and then adds its files: the deletions before such additions.

    Alone, one would look like a day that was published empty.
    """
    before = [iceberg.snapshot_by_id(it.parent_snapshot_id or 0) for it in snapshots]
    return [
        first
        for first, second in zip(before, snapshots, strict=True)
        if first and published_by(first) and published_by(first) == published_by(second)
    ]


def _names(iceberg: IcebergTable, snapshot: Snapshot, files: set[str], known: dict[str, bool], gone: bool) -> bool:
    """Whether a snapshot names one of the files; `gone`: also as deleted.

    Snapshots share most of their manifests: what is `known` of one is not read again.
    """
    for manifest in snapshot.manifests(iceberg.io):
        if manifest.manifest_path not in known:
            known[manifest.manifest_path] = bool(_paths(iceberg, manifest, gone) & files)
    return any(known[manifest.manifest_path] for manifest in snapshot.manifests(iceberg.io))


def _paths(iceberg: IcebergTable, manifest: ManifestFile, gone: bool) -> set[str]:
    """The data files of a manifest."""
    entries = manifest.fetch_manifest_entry(iceberg.io, discard_deleted=not gone)
    return {entry.data_file.file_path.removeprefix("file://") for entry in entries}


def _metadata_files(iceberg: IcebergTable) -> set[Path]:
    """Manifests and manifest lists of all snapshots."""
    found = set()
    for snapshot in iceberg.snapshots():
        found.add(snapshot.manifest_list)
        found |= {manifest.manifest_path for manifest in snapshot.manifests(iceberg.io)}
    return {Path(location.removeprefix("file://")) for location in found}
