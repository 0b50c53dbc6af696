"""The rows of a state table that were known at an instant: which state, and reading it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset
from pyiceberg.table import Table as IcebergTable

from pipeline.features.point_in_time import (
    MICROSECOND,
    State,
    Timeline,
    by_day,
    by_publication,
    day_end,
    zones,
)
from pipeline.runtime.errors import LeakError, NotPublishedError, UsageError
from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import load_table
from pipeline.storage.declared import arrow_dataset_of
from pipeline.storage.publications import gone_of
from pipeline.storage.retention import REMOVED
from pipeline.tables.schema import Table

FEATURE_DS = "feature_ds"  # the partition that a row's features come from
MODEL_DS = "model_ds"  # column: the day that the model was trained for
# Without these Arrow holds whole files: 1.0 GB of 120,000 users for 22 MB of rows, with them 0.4.
BOUNDED = {
    "batch_size": 4096,
    "batch_readahead": 1,
    "fragment_readahead": 1,
    "fragment_scan_options": arrow_dataset.ParquetFragmentScanOptions(pre_buffer=False, use_buffered_stream=True),
}


@dataclass(frozen=True)
class Found:
    """Features of one partition: `features` has a row for each of `rows` of the frame."""

    ds: str
    rows: np.ndarray
    features: pa.Table


@dataclass(frozen=True)
class KnownRows:
    """A table, and when its states became known. `is_checked`: hindsight is refused."""

    table: Table
    iceberg: IcebergTable
    timeline: Timeline
    zones: set[str]
    is_checked: bool

    def states(self, times: pa.ChunkedArray, max_age: timedelta | None) -> np.ndarray:
        """[rows] index of the state known at each time (`INSTANT`); -1 where none is recent enough."""
        instants = times.cast(pa.int64())
        present = instants.is_valid().to_numpy()
        moments = instants.fill_null(0).to_numpy()
        states = self.timeline.at(moments)
        states[~present] = -1
        if max_age is not None and self.timeline.states:
            ends = np.array([day_end(state.ds, self.zones) for state in self.timeline.states])
            states[(states >= 0) & (moments - ends[states] > max_age // MICROSECOND)] = -1
        return states

    def found(self, users: pa.ChunkedArray, states: np.ndarray, wanted: list[str]) -> Iterator[Found]:
        """State by state, the features of those rows of the frame whose user it has."""
        for number in np.unique(states[states >= 0]):
            state, rows = self.timeline.states[number], np.flatnonzero(states == number)
            mine = pc.take(users, pa.array(rows)).combine_chunks()
            features = self._read(state, mine.unique(), wanted)
            places = pc.index_in(mine, features["user_id"].combine_chunks())
            has = places.is_valid().to_numpy(zero_copy_only=False)
            yield Found(state.ds, rows[has], features.take(places.drop_null()))

    def _read(self, state: State, users: pa.Array, wanted: list[str]) -> pa.Table:
        """The rows of `users` in one state. Columns that were declared later are null."""
        made = [name for name in wanted if self.table.column(name).by_model]
        is_checked = self.is_checked and bool(made) and MODEL_DS in self.table.schema.names
        names = dict.fromkeys(["user_id", *wanted, *([MODEL_DS] if is_checked else [])])
        schema = pa.schema([pa.field(name, self.table.column(name).type) for name in names])
        files = self._files(state)
        if not files:
            return schema.empty_table()
        rows = arrow_dataset_of(replace(self.table, columns=tuple(map(self.table.column, names))), files).to_table(
            filter=pc.field("user_id").isin(users), **BOUNDED
        )
        if is_checked:
            self._refuse_hindsight(state, rows, made)
        return rows

    def _files(self, state: State) -> list[str]:
        if state.is_lost:
            raise NotPublishedError(
                f"{self.table.name} ds={state.ds}: was published again since, and the snapshot of "
                "what it held before has expired (TIDEMARK_RETENTION_DAYS); read known='day'"
                if state.ds not in gone_of(self.iceberg)
                else f"{self.table.name} ds={state.ds}: expected the features known at the time of a label, found that "
                f"{REMOVED}; leave such labels out, or keep more days before they go"
            )
        scan = self.iceberg.scan(f"ds = '{state.ds}'", snapshot_id=state.snapshot)
        return sorted(task.file.file_path.removeprefix("file://") for task in scan.plan_files())

    def _refuse_hindsight(self, state: State, rows: pa.Table, made: list[str]) -> None:
        trained = pc.max(rows[MODEL_DS]).as_py()
        if trained is not None and trained > state.ds:
            raise LeakError(
                f"{self.table.name} ds={state.ds}: expected features of a model that had seen no "
                f"later day, found one that was trained for {trained}; leave out what it made "
                f"({', '.join(made)}), read known='publication', or pass hindsight=True"
            )


def known_rows(settings: Settings, table: Table, known: str, delay: timedelta | None, hindsight: bool) -> KnownRows:
    """How `as_of` was asked to read a table. Raises NotPublishedError when it is not there."""
    if delay is not None and delay < timedelta(0):
        raise UsageError(f"delay: expected none or more, found {delay}; before its end no day is known")
    if known not in ("day", "publication") or (known == "publication" and delay):
        raise UsageError(f"known: expected 'day', or 'publication' without delay, found {known!r}, {delay}")
    iceberg = load_table(settings, table)
    if iceberg is None:
        raise NotPublishedError(f"{table.name}: nothing has been published yet; see `status`")
    names = zones(settings)
    late = settings.serving_delay if delay is None else delay
    timeline = by_day(iceberg, names, late) if known == "day" else by_publication(iceberg, names)
    return KnownRows(table, iceberg, timeline, names, known == "day" and not hindsight)
