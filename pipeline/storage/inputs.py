"""What an attempt reads: each table is looked up once, and every partition that it depends on is noted.

Two look-ups of one table may see two states of it, with a publication between them; so all questions about a table are
answered from the metadata that was loaded first. What was read is kept with what is staged: publishing refuses rows
whose inputs have been replaced since, and `stale` finds published ones.
"""

from collections.abc import Mapping
from dataclasses import asdict

import pyarrow as pa
import pyarrow.dataset as arrow_dataset
from pyiceberg.table import Table as IcebergTable

from pipeline.runtime.errors import NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import load_table
from pipeline.storage.declared import arrow_dataset_of
from pipeline.storage.fences import next_fence
from pipeline.storage.publications import Gone, Publication, gone_of, publications, publications_at
from pipeline.storage.retention import check_whole
from pipeline.storage.staging import Input
from pipeline.tables.registry import table_named
from pipeline.tables.schema import Table

LOG_BEGINS = "0001-01-01"


class Pins:
    """Tables as one attempt sees them: each is loaded at its first use, then stays as it was.

    `snapshots`: tables that are seen as they were in an earlier snapshot.
    """

    def __init__(self, settings: Settings, snapshots: Mapping[str, int] | None = None) -> None:
        self.settings = settings
        self.snapshots = dict(snapshots or {})
        self._tables: dict[str, IcebergTable | None] = {}
        self._days: dict[str, dict[str, Publication]] = {}
        self._gone: dict[str, Gone] = {}

    def table(self, name: str) -> IcebergTable | None:
        """The Iceberg table; None when nothing of it was published then."""
        if name not in self._tables:
            self._tables[name] = load_table(self.settings, table_named(name))
        return self._tables[name]

    def days(self, name: str) -> dict[str, Publication]:
        """The published days, oldest first."""
        if name not in self._days:
            iceberg = self.table(name)
            earlier = self.snapshots.get(name)
            known = publications_at(iceberg, earlier) if iceberg and earlier else publications(iceberg)
            self._days[name] = known
        return self._days[name]

    def gone(self, name: str) -> Gone:
        """The days that maintenance has taken out."""
        if name not in self._gone:
            self._gone[name] = gone_of(self.table(name))
        return self._gone[name]

    def files(self, name: str, first: str, last: str) -> list[str]:
        """Data files of the published days of [first, last].

        Raises NotPublishedError when retention has removed days of a log that are among them.
        """
        iceberg = self.table(name)
        if iceberg is not None and name not in self.snapshots:
            check_whole(iceberg, table_named(name), first, last)
        return planned_files(iceberg, first, last, self.snapshots.get(name))

    def read(self, name: str, first: str, last: str) -> pa.Table:
        """The published rows of [first, last], of a table that is small."""
        return arrow_dataset_of(table_named(name), self.files(name, first, last)).to_table()


class Inputs:
    """The inputs of one computation, to be kept with what it stages.

    `fence`: of the computation, taken before anything is looked up.
    """

    def __init__(self, pins: Pins, fence: int) -> None:
        self.pins = pins
        self.fence = fence
        self.read: dict[str, Input] = {}

    @classmethod
    def of(cls, settings: Settings) -> "Inputs":
        """With a fence of its own, and tables looked up after that."""
        fence = next_fence(settings)
        return cls(Pins(settings), fence)

    def note(self, name: str, first: str, last: str, lookback: int | None = None) -> list[str]:
        """Notes that days of a table are read; returns those of [first, last] that are published."""
        iceberg = self.pins.table(name)
        found = {ds: it for ds, it in self.pins.days(name).items() if first <= ds <= last}
        one = self.read.setdefault(name, Input())
        one.snapshot = iceberg.metadata.current_snapshot_id if iceberg else None
        one.windows.append((first, last, lookback))
        one.days |= {ds: it.digest for ds, it in found.items()}
        return list(found)

    def note_staged(self, name: str, attempt: str, first: str, last: str, lookback: int | None = None) -> None:
        """Notes that the same run's staged rows of [first, last] are read, which are published before."""
        one = self.read.setdefault(name, Input())
        one.windows.append((first, last, lookback))
        one.attempt = attempt

    def files(self, name: str, first: str, last: str, lookback: int | None = None) -> list[str]:
        """Data files of the published days of [first, last], which are noted."""
        self.note(name, first, last, lookback)
        return self.pins.files(name, first, last)

    def open_day(self, table: Table, ds: str) -> arrow_dataset.Dataset:
        """The rows of one published day, which is noted. Raises NotPublishedError when it is not there."""
        days = self.pins.days(table.name)
        if ds not in days:
            found = f"{len(days)} days, {min(days)}..{max(days)}" if days else "none"
            raise NotPublishedError(
                f"{table.name} ds={ds}: not published; published are {found}; run the steps that write it first"
            )
        return arrow_dataset_of(table, self.files(table.name, ds, ds))

    def as_json(self) -> dict[str, dict]:
        """For a manifest."""
        return {name: asdict(it) for name, it in self.read.items()}


def planned_files(iceberg: IcebergTable | None, first: str, last: str, snapshot: int | None = None) -> list[str]:
    """Data files of [first, last] in one snapshot, by default the newest that was loaded."""
    if iceberg is None or iceberg.current_snapshot() is None:
        return []
    scan = iceberg.scan(row_filter=f"ds >= '{first}' and ds <= '{last}'", snapshot_id=snapshot)
    return sorted(task.file.file_path for task in scan.plan_files())
