"""Score a bucket of users, share by share, in batches: memory does not grow with their number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import DayFile
from pipeline.storage.reading import open_day
from pipeline.tables.registry import NEXT_ITEMS, USER_FEATURES, USER_HISTORY
from training.data.arrow import buckets, day_number, in_bucket, in_sample
from training.data.catalogue import Catalogue, load_catalogue
from training.data.sequences import sequences
from training.model.model import load
from training.model.predictor import Predictor
from training.ranking.engagements import Engagements, engagements, merged, shares
from training.scoring.feature_rows import score_users
from training.scoring.first_days import BaseRates, FirstDays
from training.scoring.joined_tables import JoinedTables

ENGAGED = ["user_id", "events"]
MOST_USERS = 1024
SHARE_USERS = 100_000  # users whose rows of other tables are in memory at once; about 1 KB each


@dataclass(frozen=True)
class Bucket:
    """One of `of` shares of the users."""

    number: int
    of: int

    def users(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The rows whose users are in the bucket."""
        return rows.filter(pa.array(buckets(rows["user_id"], self.of) == self.number))

    def where(self) -> pc.Expression:
        """The same as a filter of files, of which only the bucket's part is read."""
        return in_bucket(self.number, self.of)

    def shares(self, users: int) -> "list[Bucket]":
        """Buckets of about SHARE_USERS at most that make up this one, when there are `users` users."""
        number = max(1, -(-users // (self.of * SHARE_USERS)))
        return [Bucket(self.number * number + n, self.of * number) for n in range(number)]


def score_bucket(settings: Settings, ds: str, run: str, bucket: Bucket, version: str, folder: Path | None) -> int:
    """Stages the bucket's part of `user_features`; returns its rows.

    `folder`: of the model `version`; None while there is none.

    The count that the audit compares them with comes only from the ids of `user_history`.
    """
    catalogue, inputs = load_catalogue(settings, ds)
    inputs[USER_HISTORY.name], history = open_day(settings, USER_HISTORY, ds)
    joined = JoinedTables.open(settings, ds)
    engaged = everyone([history], ds, catalogue)
    predictor: Predictor | FirstDays
    if folder:
        predictor = Predictor.of(load(folder), catalogue, engaged)
    else:
        predictor = FirstDays.of(catalogue, engaged, BaseRates.of(history.to_batches(columns=["daily"]), ds), ds)
    attempt = staging.begin(settings, USER_FEATURES.name, run, f"bucket-{bucket.number}", model=version)
    file = DayFile(attempt.day(ds), file_schema(settings, USER_FEATURES))
    for share in bucket.shares(history.count_rows()):
        for rows in scored_share(predictor, history, joined, share, version):
            file.write(rows)
    file.close()
    expected = _expected_users(history, bucket)
    if file.rows != expected:
        raise ModelError(
            f"user_features ds={ds} bucket {bucket.number}: expected {expected} users of "
            f"user_history, scored {file.rows}; run the bucket again"
        )
    files = {ds: [file.path]} if file.rows else {}
    facts = {"rows": {ds: expected}, **list_lengths(catalogue, settings.history_events)}
    staging.complete(attempt, [ds], files, inputs | joined.inputs, facts)
    return file.rows


def list_lengths(catalogue: Catalogue, history_events: int) -> dict[str, int]:
    """The minimum length of every list: a platform may be small, and a user may know all its items."""
    smallest = int(np.bincount(catalogue.platform).min())
    new = max(0, smallest - history_events)
    return {"next_items": min(NEXT_ITEMS, smallest), "next_new_items": min(NEXT_ITEMS, new)}


def scored_share(
    predictor: Predictor | FirstDays,
    history: arrow_dataset.Dataset,
    joined: JoinedTables,
    share: Bucket,
    version: str,
) -> Iterator[pa.Table]:
    """Rows of `user_features` for a share of the users, in batches."""
    known = joined.of(share.where())
    for users in batches(history, share, MOST_USERS):
        rows = known.with_columns(score_users(users, joined.ds, version, predictor))
        yield rows.cast(USER_FEATURES.schema)


def everyone(histories: Sequence[arrow_dataset.Dataset], ds: str, catalogue: Catalogue) -> Engagements:
    """What all users did up to `ds` (a sample of them if there are very many), from their histories: it describes
    items.
    """
    sample, found = in_sample(shares(sum(rows.count_rows() for rows in histories))), []
    for history in histories:
        for users in history.to_batches(columns=ENGAGED, filter=sample):
            events = sequences(users["events"], catalogue)
            rows = np.arange(users.num_rows)
            found.append(engagements(events, rows, day_number(ds), len(catalogue)))
    return merged(found, len(catalogue))


def batches(history: arrow_dataset.Dataset, bucket: Bucket, size: int) -> Iterator[pa.Table]:
    """The bucket's rows, `size` at a time."""
    columns = ["user_id", "platforms", "events", "daily"]
    kept, rows = [], 0
    for mine in history.to_batches(columns=columns, filter=bucket.where(), batch_size=4 * size):
        kept.append(mine)
        rows += mine.num_rows
        if rows >= size:
            table = pa.Table.from_batches(kept)
            for start in range(0, rows - rows % size, size):
                yield table.slice(start, size).combine_chunks()
            kept, rows = table.slice(rows - rows % size).to_batches(), rows % size
    if rows:
        yield pa.Table.from_batches(kept).combine_chunks()


def _expected_users(history: arrow_dataset.Dataset, bucket: Bucket) -> int:
    """Distinct users of the bucket, found by looking at each."""
    users: set[str] = set()
    for batch in history.to_batches(columns=["user_id"]):
        users.update(bucket.users(batch)["user_id"].to_pylist())
    return len(users)
