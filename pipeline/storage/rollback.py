"""Bring back what a partition held before its last publication."""

import time

from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot

from pipeline.runtime.errors import NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema, load_table
from pipeline.storage.declared import copied
from pipeline.storage.publications import Publication, publications, published_by
from pipeline.storage.publish import commit
from pipeline.storage.suppression import publishing
from pipeline.tables.schema import Table


def rollback(settings: Settings, table: Table, ds: str) -> Publication:
    """Publishes the rows that `ds` had before; each further call goes one publication further back.

    The files are copied, because Iceberg must not see a data file again that was deleted once; the copies are as old as
    the copying, or maintenance would take them for orphans until they are in. Raises NotPublishedError when there is no
    earlier publication.
    """
    iceberg = load_table(settings, table)
    now = publications(iceberg).get(ds)
    if iceberg is None or now is None:
        raise NotPublishedError(f"{table.name} ds={ds}: not published, so nothing to roll back")
    snapshot, before = _earlier(iceberg, table, ds, now)
    attempt = staging.begin(settings, table.name, f"rollback-{time.time_ns()}")
    schema = file_schema(settings, table)
    files = [
        copied(_path(task.file.file_path), attempt.day(ds), table, schema)
        for task in iceberg.scan(f"ds = '{ds}'", snapshot_id=snapshot.snapshot_id).plan_files()
    ]
    back = Publication(attempt.run, attempt.fence, before.rows, before.digest, restored=snapshot.snapshot_id)
    summary = {"tidemark.restored": str(snapshot.snapshot_id)}
    with publishing(settings, table, files):
        return commit(settings, table, {ds: back}, {ds: files}, summary)[ds]


def _earlier(iceberg: IcebergTable, table: Table, ds: str, now: Publication) -> tuple[Snapshot, Publication]:
    """The newest snapshot that published other content of `ds` than is visible now."""
    newest_first = sorted(iceberg.snapshots(), key=lambda it: -(it.sequence_number or 0))
    ids = [snapshot.snapshot_id for snapshot in newest_first]
    start = ids.index(now.restored) + 1 if now.restored in ids else 0
    for snapshot in newest_first[start:]:
        before = published_by(snapshot).get(ds)
        if before and before.digest != now.digest:
            return snapshot, before
    raise NotPublishedError(
        f"{table.name} ds={ds}: run {now.run!r} was the first to publish it; there is no earlier "
        "publication to go back to"
    )


def _path(location: str) -> str:
    return location.removeprefix("file://")
