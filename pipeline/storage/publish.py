"""Publish audited partitions in one fenced transaction.

    python -m pipeline.storage.publish --table events --run R

Either all days of the run become visible, or none. Publishing the same content again is a no-op. An attempt that began
before the published one (a zombie, or a run that was overtaken) is refused.
"""

import json
import time
import warnings
from dataclasses import asdict, replace

from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.table import Table as IcebergTable

from pipeline.runtime.errors import FencedError
from pipeline.runtime.settings import Settings
from pipeline.storage import provenance, staging
from pipeline.storage.catalog import ensure_table
from pipeline.storage.publications import SUMMARY, Publication, publications
from pipeline.storage.suppression import publishing
from pipeline.tables.schema import Table

CONFLICTS = 20  # each time somebody else won; far more than publishers of one day


def publish(settings: Settings, table: Table, run: str) -> dict[str, Publication]:
    """Publishes what `run` staged and audited; returns the days that changed."""
    manifests, receipt = staging.audited(settings, table.name, run)
    fence = max(manifest.fence for manifest in manifests)
    wanted = {
        ds: Publication(run, fence, int(str(day["rows"])), str(day["digest"])) for ds, day in receipt.days.items()
    }
    files = {ds: [path for m in manifests for path in m.days.get(ds, [])] for ds in wanted}
    staging.check_inputs(settings, manifests)
    made = provenance.of_staged(settings, table.name, wanted, manifests)
    snapshots = provenance.check_unmoved(settings, made, manifests)
    paths = [path for day in files.values() for path in day]
    with publishing(settings, table, paths):
        provenance.keep(settings, made)
        return commit(settings, table, wanted, files, {"tidemark.inputs": json.dumps(snapshots)})


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
        days = publications(iceberg)
        fences = provenance.fences(settings, table.name, {ds: days[ds].digest for ds in wanted if ds in days})
        changed = _changed(table, days, wanted, fences)
        if not changed:
            return {}
        try:
            _replace(iceberg, changed, files, summary)
        except (CommitFailedException, ValidationException):
            continue
        return changed
    raise FencedError(f"{table.name}: {CONFLICTS} conflicting publishers in a row; try again later")


def _changed(
    table: Table, published: dict[str, Publication], wanted: dict[str, Publication], fences: dict[str, int]
) -> dict[str, Publication]:
    """The days whose content is new. `fences`: of attempts that found the published content again."""
    changed = {}
    for ds, new in wanted.items():
        old = published.get(ds)
        if old and (old.rows, old.digest) == (new.rows, new.digest):
            continue
        fence = max(old.fence, fences.get(ds, 0)) if old else 0
        if old and fence >= new.fence:
            raise FencedError(
                f"{table.name} ds={ds}: run {old.run!r} published it from an attempt that began "
                f"later (fence {fence}) than this one (run {new.run!r}, fence {new.fence}); "
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
