"""Who published what of a table, and when."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import load_table
from pipeline.storage.publications import Publication, published_by
from pipeline.tables.schema import Table


@dataclass(frozen=True)
class Entry:
    """One publication: the days that became visible at once."""

    published: datetime  # UTC
    snapshot_id: int
    days: dict[str, Publication]

    @property
    def first(self) -> str:
        return min(self.days)

    @property
    def last(self) -> str:
        return max(self.days)

    @property
    def rows(self) -> int:
        """Rows of all its days."""
        return sum(day.rows for day in self.days.values())

    @property
    def run(self) -> str:
        return self.days[self.first].run

    @property
    def restored(self) -> int:
        """The snapshot that a rollback brought back; 0 for any other publication."""
        return self.days[self.first].restored


def history(settings: Settings, table: Table) -> list[Entry]:
    """The publications whose snapshots are kept, newest first."""
    iceberg = load_table(settings, table)
    entries: list[Entry] = []
    seen: set[str] = set()
    snapshots = iceberg.snapshots() if iceberg else []
    for snapshot in sorted(snapshots, key=lambda it: -(it.sequence_number or 0)):
        days = published_by(snapshot)
        if not days or repr(days) in seen:  # a publication is a delete and an append snapshot
            continue
        seen.add(repr(days))
        entries.append(Entry(datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC), snapshot.snapshot_id, days))
    return entries
