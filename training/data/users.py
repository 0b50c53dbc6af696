"""Training examples in memory: one row per user and cut-off, as arrays."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset

from training.data.arrow import codes, day_numbers, in_bucket, lengths, plain
from training.data.catalogue import Catalogue
from training.data.rhythm import rhythm
from training.data.sequences import Sequences, sequences
from training.data.windowed_counts import WindowedCounts, windowed_counts

HEADS = (
    "click_7d",
    "click_28d",
    "cart_7d",
    "cart_28d",
    "purchase_7d",
    "purchase_28d",
    "return_7d",
    "return_28d",
    "churn_7d",
    "churn_28d",
)


@dataclass(frozen=True)
class UserStates:
    """One row per user and moment. `as_of` is the day (since 1970) up to which everything is known."""

    users: pa.Array
    as_of: np.ndarray
    past: Sequences
    counts: WindowedCounts
    rhythm: np.ndarray  # [rows, propensity.rhythm.RHYTHM]
    platforms: np.ndarray  # [rows, platforms of the catalogue] whether the user uses it

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def features(self) -> np.ndarray:
        return self.counts.features()


@dataclass(frozen=True)
class Examples(UserStates):
    """Users at their cut-offs, ordered by user and cut-off, with what they did afterwards.

    `key` is a number made of the row's user and cut-off, used for draws; `labels` is [rows, HEADS] in {0, 1}, NaN where
    unknown.
    """

    key: np.ndarray
    is_train: np.ndarray
    future: Sequences
    labels: np.ndarray


def load_examples(
    rows: arrow_dataset.Dataset,
    catalogue: Catalogue,
    folds: tuple[str, ...],
    shard: int = 0,
    shards: int = 1,
    users: int | None = None,
) -> Examples:
    """The rows of `folds` whose users fall into `shard`; only those of the first `users` users.

    Rows are filtered by user while they are read, so a process reads and holds only its own share.
    """
    table = rows.to_table(filter=pc.is_in(pc.field("fold"), pa.array(folds)) & in_bucket(shard, shards))
    ordered = table.take(pc.sort_indices(table, [(k, "ascending") for k in ("user_id", "cutoff_ds")]))
    if users is not None:
        first = pc.unique(ordered["user_id"])[:users]
        ordered = ordered.filter(pc.is_in(ordered["user_id"], first))
    return to_examples(ordered, catalogue)


def to_examples(table: pa.Table, catalogue: Catalogue) -> Examples:
    """From rows of `training_examples`."""
    as_of = day_numbers(table["cutoff_ds"])
    numbers = [int(user[:12], 16) for user in table["user_id"].to_pylist()]
    labels = [pc.cast(table[head], pa.float32()).to_numpy() for head in HEADS]
    return Examples(
        **vars(user_states(table, as_of, catalogue)),
        key=np.array(numbers, dtype=np.int64) * 65_536 + as_of,
        is_train=plain(pc.equal(table["fold"], "train")).to_numpy(zero_copy_only=False),
        future=sequences(table["future"], catalogue),
        labels=np.stack(labels, axis=1) if table.num_rows else np.zeros((0, len(HEADS)), np.float32),
    )


def user_states(table: pa.Table | pa.RecordBatch, as_of: np.ndarray, catalogue: Catalogue) -> UserStates:
    """From rows with `user_id`, `events` and `daily`."""
    return UserStates(
        plain(table["user_id"]),
        as_of,
        sequences(table["events"], catalogue),
        windowed_counts(table["daily"], as_of),
        rhythm(table["daily"], as_of),
        _platforms_used(plain(table["daily"]), catalogue),
    )


def _platforms_used(daily: pa.Array, catalogue: Catalogue) -> np.ndarray:
    used = np.zeros((len(daily), len(catalogue.platforms)), dtype=bool)
    rows = np.repeat(np.arange(len(daily)), lengths(daily))
    platform = codes(pc.struct_field(daily.flatten(), "platform"), catalogue.platforms)
    used[rows[platform >= 0], platform[platform >= 0]] = True
    return used
