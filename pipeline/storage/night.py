"""One consistent night: tables of a day that were made from one another, however many are being made again."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyiceberg.table import DataScan
from sqlalchemy import BigInteger, Column, String, Text, insert, select
from sqlalchemy import Table as SqlTable

from pipeline.orchestration.steps import NIGHT
from pipeline.runtime.errors import NotPublishedError, StaleError
from pipeline.runtime.settings import Settings
from pipeline.runtime.state_database import engine, metadata
from pipeline.storage import provenance
from pipeline.storage.fences import next_fence
from pipeline.storage.inputs import Pins
from pipeline.tables.registry import USER_FEATURES, table_named

NIGHTS = SqlTable(
    "nights",
    metadata,
    Column("ds", String(10), primary_key=True),
    Column("number", BigInteger, primary_key=True),  # of later records greater
    Column("snapshots", Text, nullable=False),
)
NIGHT_TABLES = tuple(table for step in NIGHT for table in step.writes)


@dataclass(frozen=True)
class Night:
    """The tables of day `ds` in the snapshots in which they belong together: table -> snapshot id."""

    ds: str
    snapshots: dict[str, int]
    pins: Pins

    def scan(self, table: str) -> DataScan:
        """The day's rows of a table, lazily. Raises NotPublishedError when the night has none of it."""
        if table not in self.snapshots:
            raise NotPublishedError(f"{table} ds={self.ds}: not part of the night; it has {', '.join(self.snapshots)}")
        iceberg = self.pins.table(table_named(table).name)
        assert iceberg is not None, "a table with a snapshot exists"
        return iceberg.scan(row_filter=f"ds = '{self.ds}'", snapshot_id=self.snapshots[table])


def open_night(settings: Settings, ds: str) -> Night:
    """The newest consistent night of a day.

    Tables that are being made again are read as they were when they last belonged together. Raises NotPublishedError
    when `user_features` of the day is not published, StaleError when no consistent state of the day is kept.
    """
    pins = Pins(settings)
    if ds not in pins.days(USER_FEATURES.name):
        raise NotPublishedError(f"user_features ds={ds}: not published, so there is no night to read")
    apart = next(_apart(settings, pins, ds), None)
    if apart is None:
        snapshots = _snapshots(pins, ds)
        _keep(settings, ds, snapshots)
        return Night(ds, snapshots, pins)
    for snapshots in _kept(settings, ds):
        if all(_has(pins, table, snapshot) for table, snapshot in snapshots.items()):
            return Night(ds, snapshots, Pins(settings, snapshots))
    raise StaleError(f"the night of {ds}: {apart}, and no earlier state of it is kept; run `python -m pipeline repair`")


def require_together(pins: Pins, ds: str, tables: Sequence[str]) -> None:
    """Raises StaleError unless the published days of `tables` were made from one another as they are pinned.

    What is made of them is of one night then, since publishing refuses it when one of them has been replaced meanwhile.
    """
    if apart := next(_apart(pins.settings, pins, ds, tables), None):
        raise StaleError(f"the night of {ds}: {apart}; run `python -m pipeline repair`, or wait for its end")


def keep_night(settings: Settings, ds: str) -> None:
    """Notes the snapshots of a day's tables if they belong together now."""
    pins = Pins(settings)
    if ds in pins.days(USER_FEATURES.name) and next(_apart(settings, pins, ds), None) is None:
        _keep(settings, ds, _snapshots(pins, ds))


def _apart(settings: Settings, pins: Pins, ds: str, tables: Sequence[str] = NIGHT_TABLES) -> Iterator[str]:
    """Those of `tables` that were made from other rows of the same day of one of them than those that are published."""
    entries = provenance.entries(settings, tables, ds)
    for table in tables:
        published = pins.days(table).get(ds)
        entry = entries.get((table, ds, published.digest)) if published else None
        for name, read in entry.inputs.items() if entry else ():
            now = pins.days(name).get(ds)
            if name != table and name in tables and ds in read.days and (now is None or now.digest != read.days[ds]):
                yield f"{table} was made from rows of {name} that are not the published ones"


def _snapshots(pins: Pins, ds: str) -> dict[str, int]:
    return {
        table: int(iceberg.metadata.current_snapshot_id or 0)
        for table in NIGHT_TABLES
        if ds in pins.days(table) and (iceberg := pins.table(table))
    }


def _has(pins: Pins, table: str, snapshot: int) -> bool:
    iceberg = pins.table(table)
    return iceberg is not None and iceberg.snapshot_by_id(snapshot) is not None


def _keep(settings: Settings, ds: str, snapshots: dict[str, int]) -> None:
    if next(_kept(settings, ds), None) == snapshots:
        return
    row = {"ds": ds, "number": next_fence(settings), "snapshots": json.dumps(snapshots)}
    with engine(settings).begin() as connection:
        connection.execute(insert(NIGHTS).values(**row))


def _kept(settings: Settings, ds: str) -> Iterator[dict[str, int]]:
    """What was noted of a day, newest first."""
    query = select(NIGHTS.c.snapshots).where(NIGHTS.c.ds == ds).order_by(NIGHTS.c.number.desc())
    with engine(settings).connect() as connection:
        found = [json.loads(row.snapshots) for row in connection.execute(query)]
    yield from found
