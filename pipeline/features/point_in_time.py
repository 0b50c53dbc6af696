"""Which rows of a state table were known at an instant: by the days over then, or as published.

Instants are microseconds since 1970 (UTC).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot

from pipeline.runtime import days
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import active_sources
from pipeline.storage.publications import gone_of, publications, published_by, unpublished_by

MICROSECOND = timedelta(microseconds=1)
LIVE = timedelta(days=2)  # what was published later than that after its day was a backfill
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True)
class State:
    """What a day held. `snapshot` is None for what it holds now."""

    ds: str
    snapshot: int | None = None
    is_lost: bool = False  # it was replaced or removed since, and its snapshot has expired
    is_unpublished: bool = False  # it was taken away from readers, who were left with the days before


@dataclass(frozen=True)
class Timeline:
    """`states[i]` is the newest from `since[i]` until `since[i + 1]`."""

    since: list[int]
    states: list[State]

    def at(self, instants: np.ndarray) -> np.ndarray:
        """Index of the state known at each instant; -1 before the first."""
        return np.searchsorted(np.asarray(self.since, np.int64), instants, side="right") - 1


def zones(settings: Settings) -> set[str]:
    """The zones in which a day has to be over: of the schedule and of every source.

    A file of day D holds events up to the end of D where its platform is.
    """
    return {settings.business_tz, *(source.timezone for source in active_sources(settings))}


def day_end(ds: str, names: Iterable[str]) -> int:
    """The instant at which `ds` is over in all zones."""
    return microseconds(days.day_end(ds, names))


def microseconds(instant: datetime) -> int:
    return (instant - EPOCH) // MICROSECOND


def by_day(iceberg: IcebergTable, names: set[str], delay: timedelta) -> Timeline:
    """A day is known `delay` after it is over, as it is published now.

    A day that maintenance has taken out was known too: it is lost, and not as if it had never been.
    """
    known, gone, late = publications(iceberg), gone_of(iceberg), delay // MICROSECOND
    lost = {*gone.days, *([days.shift(gone.kept_from, -1)] if gone else [])} - set(known)
    states = [State(ds, is_lost=ds in lost) for ds in sorted({*known, *lost})]
    since = [day_end(state.ds, names) + late for state in states]
    if states and states[0].ds in lost:
        since[0] = 0  # one state stands for all days before
    return Timeline(since, states)


def served_after(iceberg: IcebergTable | None, names: set[str]) -> dict[str, timedelta]:
    """How long after its end each day was first published; without days that were loaded more than LIVE later."""
    found = {
        ds: MICROSECOND * (_up(it.first_published) - day_end(ds, names))
        for ds, it in publications(iceberg).items()
        if it.first_published
    }
    return {ds: late for ds, late in found.items() if timedelta(0) <= late <= LIVE}


def by_publication(iceberg: IcebergTable, names: set[str]) -> Timeline:
    """What a reader would have read at each instant: the newest day published by then, as it was published then.

    Days that maintenance has taken out are lost, from their end on: when they were published nobody knows any more.
    """
    seen: dict[str, State] = {}
    since, states = [], []
    if gone := gone_of(iceberg):
        since.append(0)
        states.append(State(days.shift(gone.kept_from, -1), is_lost=True))
    for instant, state in _history(iceberg, names):
        seen[state.ds] = state
        if state.is_unpublished:
            del seen[state.ds]
        since.append(instant)
        states.append(seen[max(seen)] if seen else state)
    return Timeline(since, states)


def _history(iceberg: IcebergTable, names: set[str]) -> list[tuple[int, State]]:
    """Every publication of every day, in order of time."""
    found: dict[tuple[int, str], State] = {}
    snapshots = sorted(iceberg.snapshots(), key=lambda it: it.sequence_number or 0)
    for snapshot in snapshots:  # a publication is a delete and an append: the second counts
        for ds, publication in published_by(snapshot).items():
            instant = publication.published or snapshot.timestamp_ms * 1_000_000
            found[_up(instant), ds] = State(ds, snapshot.snapshot_id)
        if ds := unpublished_by(snapshot):
            found[snapshot.timestamp_ms * 1000, ds] = State(ds, is_lost=True, is_unpublished=True)
    gaps = _gaps(snapshots)
    oldest = snapshots[0].timestamp_ms * 1000 if snapshots else 0
    for ds, now in publications(iceberg).items():
        times = [instant for instant, day in found if day == ds]
        # Without a time of its own it was published before the oldest snapshot that is kept.
        current = _up(now.published) if now.published else max(times, default=oldest)
        found[current, ds] = State(ds)
        first = _up(now.first_published)
        if first and first < min([current, *times]):
            found[first, ds] = State(ds, is_lost=True)
        for gap in gaps:
            if any(instant < gap for instant in times) and gap < current:
                found.setdefault((gap, ds), State(ds, is_lost=True))
    told = {ds for _, ds in found}
    for ds in gone_of(iceberg).days - told:
        found[day_end(ds, names), ds] = State(ds, is_lost=True)
    return [(instant, found[instant, ds]) for instant, ds in sorted(found)]


def _gaps(snapshots: list[Snapshot]) -> list[int]:
    """Just after each snapshot whose successor an erasure has taken: nobody knows what it held."""
    return [
        before.timestamp_ms * 1000 + 1
        for before, after in pairwise(snapshots)
        if after.parent_snapshot_id != before.snapshot_id
    ]


def _up(nanoseconds: int) -> int:
    return -(-nanoseconds // 1000)
