"""Publish audited partitions in one fenced transaction.

    python -m pipeline.storage.publish --table events --run R

Either all days of the run become visible, or none. Publishing the same content again is a no-op. An attempt that began
before the published one (a zombie, or a run that was overtaken) is refused.
"""

import json
import time
import warnings
from dataclasses import asdict, dataclass, replace

from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot

from pipeline.runtime.errors import FencedError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import ensure_table, load_table
from pipeline.storage.suppression import publishing
from pipeline.tables.registry import table_named
from pipeline.tables.schema import Table

SUMMARY = "tidemark.published"  # snapshot summary: the days published, as JSON
CONFLICTS = 20  # each time somebody else won; far more than publishers of one day


@dataclass(frozen=True)
class Publication:
    """Who published a day, and what: the table property `pub.<ds>`.

    `fence` is the time (ns) at which the newest staged attempt began. `published` is the time (ns) at which these rows
    became visible, `first_published` that of the day's first rows; 0: unknown.
    """

    run: str
    fence: int
    rows: int
    digest: str
    restored: int = 0  # snapshot that a rollback brought back
    published: int = 0
    first_published: int = 0


def publications(iceberg: IcebergTable | None) -> dict[str, Publication]:
    """The published days of a table, oldest first."""
    properties = iceberg.properties if iceberg else {}
    days = sorted(key.removeprefix("pub.") for key in properties if key.startswith("pub."))
    return {ds: Publication(**json.loads(properties[f"pub.{ds}"])) for ds in days}


def published_by(snapshot: Snapshot) -> dict[str, Publication]:
    """The days that a snapshot published; empty for snapshots of other origin."""
    summary = snapshot.summary.additional_properties if snapshot.summary else {}
    return {ds: Publication(**it) for ds, it in json.loads(summary.get(SUMMARY, "{}")).items()}


def publish(settings: Settings, table: Table, run: str) -> dict[str, Publication]:
    """Publishes what `run` staged and audited; returns the days that changed."""
    manifests, receipt = staging.audited(settings, table.name, run)
    fence = max(manifest.started for manifest in manifests)
    wanted = {
        ds: Publication(run, fence, int(str(day["rows"])), str(day["digest"])) for ds, day in receipt.days.items()
    }
    files = {ds: [path for m in manifests for path in m.days.get(ds, [])] for ds in wanted}
    staging.check_inputs(settings, manifests)
    inputs = {name: _snapshot(settings, name, run, read) for m in manifests for name, read in m.inputs.items()}
    paths = [path for day in files.values() for path in day]
    with publishing(settings, table, paths):
        return commit(settings, table, wanted, files, {"tidemark.inputs": json.dumps(inputs)})


def _snapshot(settings: Settings, name: str, run: str, read: int | str) -> int | None:
    """The snapshot that was read; of rows staged by the same run, one in which exactly they are published.

    Raises FencedError when they are not.
    """
    if isinstance(read, int):
        return read
    _, receipt = staging.audited(settings, name, run)
    iceberg = load_table(settings, table_named(name))
    days = publications(iceberg)
    for ds, day in receipt.days.items():
        if ds not in days or days[ds].digest != str(day["digest"]):
            found = f"those of run {days[ds].run!r}" if ds in days else "none"
            raise FencedError(
                f"{name} ds={ds}: expected the rows of run {run!r} to be published first, found {found}; "
                "run the day again"
            )
    return iceberg.metadata.current_snapshot_id if iceberg else None


def commit(
    settings: Settings,
    table: Table,
    wanted: dict[str, Publication],
    files: dict[str, list[str]],
    summary: dict[str, str],
) -> dict[str, Publication]:
    """One transaction that replaces the days of `wanted` by `files`.

    Raises FencedError when a newer attempt has published one of the days. After a conflict the fence is checked again:
    a blind retry could overwrite a newer publication.
    """
    for _ in range(CONFLICTS):
        iceberg = ensure_table(settings, table)
        changed = _changed(table, publications(iceberg), wanted)
        if not changed:
            return {}
        try:
            _replace(iceberg, changed, files, summary)
        except (CommitFailedException, ValidationException):
            continue
        return changed
    raise FencedError(f"{table.name}: {CONFLICTS} conflicting publishers in a row; try again later")


def _changed(table: Table, published: dict[str, Publication], wanted: dict[str, Publication]) -> dict[str, Publication]:
    changed = {}
    for ds, new in wanted.items():
        old = published.get(ds)
        if old and (old.rows, old.digest) == (new.rows, new.digest):
            continue
        if old and old.fence >= new.fence:
            raise FencedError(
                f"{table.name} ds={ds}: run {old.run!r} published it from an attempt that began "
                f"later (fence {old.fence}) than this one (run {new.run!r}, fence {new.fence}); "
                "run the day again to publish newer rows"
            )
        now = new.published or time.time_ns()
        first = old.first_published if old else now
        changed[ds] = replace(new, published=now, first_published=first)
    return changed


def _replace(
    iceberg: IcebergTable,
    changed: dict[str, Publication],
    files: dict[str, list[str]],
    summary: dict[str, str],
) -> None:
    first = next(iter(changed.values()))
    summary = {
        **summary,
        "tidemark.run": first.run,
        "tidemark.days": f"{min(changed)}..{max(changed)}",
        "tidemark.rows": str(sum(publication.rows for publication in changed.values())),
        SUMMARY: _encode(changed),
    }
    paths = [path for ds in changed for path in files[ds]]
    days = ", ".join(f"'{ds}'" for ds in changed)
    with warnings.catch_warnings(), iceberg.transaction() as transaction:
        warnings.filterwarnings("ignore", "Delete operation did not match")
        # Needed even if nothing is there yet: the filter turns a concurrent publish into a conflict.
        transaction.delete(f"ds in ({days})", snapshot_properties=summary)
        # Also without files: a day without rows is a publication too, and has its snapshot.
        transaction.add_files(paths, snapshot_properties=summary)
        transaction.set_properties(
            {f"pub.{ds}": json.dumps(asdict(publication)) for ds, publication in changed.items()}
        )


def _encode(changed: dict[str, Publication]) -> str:
    return json.dumps({ds: asdict(publication) for ds, publication in changed.items()})
