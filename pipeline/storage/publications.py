"""Who published which day of a table, now and in earlier snapshots."""

import json
from dataclasses import dataclass, field

from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot

from pipeline.runtime.days import shift

SUMMARY = "tidemark.published"  # snapshot summary: the days published, as JSON
KEPT_FROM = "kept.from"  # table property: days before it have gone, unless they are published again
UNPUBLISHED = "tidemark.unpublished"  # snapshot summary: the day that it took away from readers
GONE = "kept.gone"  # table property: the days since then that have gone, as JSON


@dataclass(frozen=True)
class Publication:
    """Who published a day, and what: the table property `pub.<ds>`.

    `fence` is that of the newest staged attempt; of earlier versions the time (ns) at which it began. `published` is
    the time (ns) at which these rows became visible, `first_published` that of the day's first rows; 0: unknown.
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


def publications_at(iceberg: IcebergTable, snapshot_id: int) -> dict[str, Publication]:
    """The published days as they were in a snapshot; without those that only forgotten snapshots know."""
    chosen = iceberg.snapshot_by_id(snapshot_id)
    order = chosen.sequence_number or 0 if chosen else 0
    days = publications(iceberg)
    newest_first = sorted(iceberg.snapshots(), key=lambda it: -(it.sequence_number or 0))
    taken: set[str] = set()
    for snapshot in newest_first:
        if (snapshot.sequence_number or 0) > order:
            for ds in published_by(snapshot):
                days.pop(ds, None)
        else:
            taken |= {unpublished_by(snapshot)} - days.keys()
            days = {ds: it for ds, it in published_by(snapshot).items() if ds not in taken} | days
    return dict(sorted(days.items()))


def published_by(snapshot: Snapshot) -> dict[str, Publication]:
    """The days that a snapshot published; empty for snapshots of other origin."""
    summary = snapshot.summary.additional_properties if snapshot.summary else {}
    return {ds: Publication(**it) for ds, it in json.loads(summary.get(SUMMARY, "{}")).items()}


def unpublished_by(snapshot: Snapshot) -> str:
    """The day that a snapshot took away from readers; empty when it took none."""
    return str(snapshot.summary.additional_properties.get(UNPUBLISHED, "")) if snapshot.summary else ""


@dataclass(frozen=True)
class Gone:
    """The days that have gone: those before `kept_from`, and single ones since."""

    kept_from: str = ""
    days: frozenset[str] = field(default_factory=frozenset)

    def __contains__(self, ds: str) -> bool:
        return ds < self.kept_from or ds in self.days

    def __bool__(self) -> bool:
        return bool(self.kept_from)

    @property
    def last(self) -> str:
        """The newest of them."""
        return max([shift(self.kept_from, -1), *self.days])


def gone_of(iceberg: IcebergTable | None) -> Gone:
    """The days that maintenance took from a table and that nobody has published again."""
    properties = iceberg.properties if iceberg else {}
    taken = json.loads(properties.get(GONE, "[]"))
    return Gone(properties.get(KEPT_FROM, ""), frozenset(ds for ds in taken if f"pub.{ds}" not in properties))
