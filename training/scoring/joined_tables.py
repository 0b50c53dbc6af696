"""What other steps know about the users of a day, next to the model's outputs.

Tables of `feature_tables.JOINED` have one row for every user of `user_history`. The rows of a share of the users are
read at once; users are then looked up batch by batch.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import open_day, open_staged
from pipeline.tables.features import JOINED, joined_columns
from pipeline.tables.schema import Table


@dataclass(frozen=True)
class JoinedTables:
    """The published rows of one day. `inputs`: the snapshots that are read."""

    ds: str
    rows: dict[str, arrow_dataset.Dataset]
    inputs: dict[str, int]

    @classmethod
    def open(cls, settings: Settings, ds: str) -> "JoinedTables":
        """Raises NotPublishedError when one is not published."""
        opened = {table.name: open_day(settings, table, ds) for table in JOINED}
        rows = {name: rows for name, (_, rows) in opened.items()}
        return cls(ds, rows, {name: snapshot for name, (snapshot, _) in opened.items()})

    @classmethod
    def staged(cls, settings: Settings, ds: str, run: str) -> "JoinedTables":
        """What a run has staged and nobody publishes. Raises StagingError if there is none."""
        return cls(ds, {table.name: open_staged(settings, table, ds, run) for table in JOINED}, {})

    def users(self) -> pa.Array:
        """The users of the rows."""
        return self.rows[JOINED[0].name].to_table(["user_id"])["user_id"].combine_chunks()

    def of(self, where: pc.Expression) -> "JoinedRows":
        """The rows of some of the users, in memory."""
        return JoinedRows(self.ds, {t.name: self._read(t, where) for t in JOINED})

    def _read(self, table: Table, where: pc.Expression) -> pa.Table:
        names = ["user_id", *(column.name for column in joined_columns(table))]
        return self.rows[table.name].to_table(columns=names, filter=where).combine_chunks()


@dataclass(frozen=True)
class JoinedRows:
    """By table: one row per user."""

    ds: str
    rows: dict[str, pa.Table]

    def with_columns(self, users: pa.Table) -> pa.Table:
        """The users with the columns of all tables. Raises ModelError when one is missing."""
        for name, known in self.rows.items():
            place = pc.index_in(users["user_id"], value_set=known["user_id"])
            if place.null_count:
                raise self._missing(name, users.filter(pc.is_null(place))["user_id"])
            for column in known.column_names[1:]:
                users = users.append_column(known.schema.field(column), known[column].take(place))
        return users

    def _missing(self, name: str, users: pa.ChunkedArray) -> ModelError:
        return ModelError(
            f"{name} ds={self.ds}: expected a row for every user of user_history, found none for "
            f"{len(users)} of a batch, the first is {users[0]}; both must come from one run: run "
            "the step profile for this day again, then score"
        )
