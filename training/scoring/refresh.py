"""The users of a refresh: who is scored again, on top of which night, and who stays unchanged."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset

from pipeline.intraday.taken import check_own, staged_row
from pipeline.runtime.days import shift
from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import DayFile
from pipeline.storage.reading import open_day, open_staged, published
from pipeline.tables.intraday import USER_FEATURES_INTRADAY, USER_HISTORY_INTRADAY
from pipeline.tables.registry import USER_HISTORY
from training.data.catalogue import Catalogue, load_catalogue
from training.model.model import load
from training.model.predictor import Predictor
from training.ranking.engagements import Engagements
from training.registry import versions
from training.registry.versions import serving
from training.scoring.bucket import Bucket, everyone, list_lengths, scored_share
from training.scoring.joined_tables import JoinedTables

BATCH_ROWS = 4096

EVERY_USER = Bucket(0, 1)


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
        """The users of whom anything arrived since the base night."""
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
        """What all users did up to now, and the snapshot that the silent users were read from."""
        snapshot, before = open_day(self.settings, USER_HISTORY, self.base)
        active = self.settings.active_days
        is_active = pc.field("last_ds") > shift(self.ds, -active)
        silent = before.filter(~pc.field("user_id").isin(self.heard) & is_active)
        return snapshot, everyone([silent, self.history], self.ds, catalogue).younger_than(active)

    def touched_history(self) -> arrow_dataset.Dataset:
        """The histories of the users who are scored."""
        return self.history.filter(pc.field("user_id").isin(self.touched))

    def others(self) -> Iterator[pa.Table]:
        """The unchanged rows: users of `history` that are not touched."""
        if self.ds not in published(USER_FEATURES_INTRADAY.name, self.settings):
            return
        _, rows = open_day(self.settings, USER_FEATURES_INTRADAY, self.ds)
        stays = pc.field("user_id").isin(self.heard) & ~pc.field("user_id").isin(self.touched)
        for batch in rows.to_batches(filter=stays, batch_size=BATCH_ROWS):
            yield pa.Table.from_batches([batch])


def rescore(users: RefreshedUsers) -> tuple[int, str | None]:
    """Stages the rows of the day; returns their number, and the model that scored them, if any."""
    settings, ds = users.settings, users.ds
    version = needed_version(settings) if len(users.touched) else None
    catalogue, inputs = load_catalogue(settings, users.base)
    attempt = staging.begin(settings, USER_FEATURES_INTRADAY.name, users.run)
    file = DayFile(attempt.day(ds), file_schema(settings, USER_FEATURES_INTRADAY))
    for rows in scored(users, catalogue, inputs, version) if version else ():
        file.write(rows)
    for rows in users.others():
        file.write(rows)
    file.close()
    expected = users.history.count_rows()
    if file.rows != expected:
        raise ModelError(
            f"{USER_FEATURES_INTRADAY.name} ds={ds}: expected {expected} users of "
            f"user_history_intraday, scored or kept {file.rows}; run the refresh again"
        )
    facts: dict[str, object] = {"rows": {ds: file.rows}, "model_version": version}
    lengths = list_lengths(catalogue, settings.history_events)
    files = {ds: [file.path]} if file.rows else {}
    staging.complete(attempt, [ds], files, inputs, facts | lengths)
    return file.rows, version


def needed_version(settings: Settings) -> str:
    """The version that scores within the day. Raises ModelError when there is none."""
    found = serving(settings)
    if found is None:
        raise ModelError("champion: expected one, found none; train, evaluate and promote one")
    return found


def scored(users: RefreshedUsers, catalogue: Catalogue, inputs: dict[str, int], version: str) -> Iterator[pa.Table]:
    """The rows of the touched users, in batches."""
    trained = load(versions.load(users.settings, version))
    inputs[USER_HISTORY.name], engaged = users.everyone(catalogue)
    predictor = Predictor.of(trained, catalogue, engaged)
    for share in EVERY_USER.shares(len(users.touched)):
        for rows in scored_share(predictor, users.touched_history(), users.joined, share, version):
            hours, bases = (pa.repeat(it, len(rows)) for it in (users.hour, users.base))
            yield rows.append_column("hour", hours).append_column("base_ds", bases)
