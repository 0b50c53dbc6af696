"""The users of a refresh: who is scored again, on top of which night, beside whom."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset

from pipeline.intraday.overtaken import check_own
from pipeline.intraday.taken import staged_row
from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import published
from pipeline.tables.intraday import USER_FEATURES_INTRADAY, USER_HISTORY_INTRADAY
from pipeline.tables.registry import USER_HISTORY
from training.data.catalogue import Catalogue
from training.job import open_day, open_staged
from training.scoring.joined_tables import JoinedTables
from training.ranking.engagements import Engagements
from training.scoring.bucket import ENGAGED, everyone

BATCH_ROWS = 4096


@dataclass(frozen=True)
class RefreshedUsers:
    """What one refresh scores: `touched` of the users of `history`, on top of the night `base`."""

    settings: Settings
    hour: str
    run: str
    base: str
    history: arrow_dataset.Dataset
    joined: JoinedTables
    touched: pa.Array

    @property
    def ds(self) -> str:
        return self.joined.ds

    @cached_property
    def heard(self) -> pa.Array:
        """Who did anything since the base night."""
        return self.history.to_table(["user_id"])["user_id"].combine_chunks()

    @classmethod
    def of(cls, settings: Settings, hour: str, run: str) -> "RefreshedUsers":
        """Raises FencedError when a newer refresh has published since."""
        ds = hour[:10]
        check_own(settings, USER_HISTORY_INTRADAY, ds, run)
        base = str(staged_row(settings, run)["base_ds"])
        history = open_staged(settings, USER_HISTORY_INTRADAY, ds, run)
        joined = JoinedTables.staged(settings, ds, run)
        return cls(settings, hour, run, base, history, joined, joined.users())

    def everyone(self, catalogue: Catalogue) -> tuple[int, Engagements]:
        """What all users did up to now, and the snapshot that tells of the silent ones."""
        snapshot, before = open_day(self.settings, USER_HISTORY, self.base)
        active = self.settings.active_days
        is_active = pc.field("last_ds") > shift(self.ds, -active)
        silent = before.filter(~pc.field("user_id").isin(self.heard) & is_active)
        rows = chain(silent.to_batches(columns=ENGAGED), self.history.to_batches(columns=ENGAGED))
        number = silent.count_rows() + len(self.heard)
        return snapshot, everyone(rows, number, self.ds, catalogue).younger_than(active)

    def touched_history(self) -> arrow_dataset.Dataset:
        """The histories of those who are scored."""
        return self.history.filter(pc.field("user_id").isin(self.touched))

    def others(self) -> Iterator[pa.Table]:
        """The rows that stay as they were: users of `history` that are not touched."""
        if self.ds not in published(USER_FEATURES_INTRADAY.name, self.settings):
            return
        _, rows = open_day(self.settings, USER_FEATURES_INTRADAY, self.ds)
        stays = pc.field("user_id").isin(self.heard) & ~pc.field("user_id").isin(self.touched)
        for batch in rows.to_batches(filter=stays, batch_size=BATCH_ROWS):
            yield pa.Table.from_batches([batch])
