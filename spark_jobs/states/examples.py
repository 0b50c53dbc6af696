"""Users as known at cut-offs, with what they did afterwards."""

from dataclasses import dataclass
from functools import partial

import polars as pl
from pyspark.sql import DataFrame

from pipeline.runtime.days import days_between, shift
from pipeline.runtime.errors import ModelError
from pipeline.storage.log_length import SHORT_LOG
from pipeline.tables.registry import IMPRESSION, TRAINING_EXAMPLES
from spark_jobs.engine.kernels import map_groups
from spark_jobs.states.history import (
    as_known,
    daily_counts,
    history_rows,
    in_event_order,
    listed_events,
    with_list,
)

HORIZON = 28  # days after a cut-off that belong to its example
TEST, VALID = 28, 56  # days before the last one: two windows that do not overlap
# Long logs train on windows that end before the validation window begins.
LONG_LOG, LONG_TRAIN, LONG_KNOWN = 112, (84, 98, 112, 126), 14
# Short logs cannot: their training windows overlap the validation window, never the test window.
SHORT_TRAIN, SHORT_KNOWN = (63, 70), 7
HORIZONS = (7, 28)  # days
LABELS = {
    f"{name}_{days}d": (kind, days)
    for name, kind in {"click": "view", "cart": "cart", "purchase": "purchase", "return": "return"}.items()
    for days in HORIZONS
}
CHURN = {f"churn_{days}d": days for days in HORIZONS}


@dataclass(frozen=True)
class Cutoff:
    """The last day that a history may contain, and the fold of its examples."""

    ds: str
    fold: str


def choose_cutoffs(first: str, last: str) -> list[Cutoff]:
    """The cut-offs for a log of [first, last], newest first.

    Raises ModelError when the log is too short to learn from and to test on.
    """
    logged = days_between(first, last) + 1
    if logged < SHORT_LOG:
        raise ModelError(
            f"training_examples ds={last}: expected a log of at least {SHORT_LOG} days, found "
            f"{logged} ({first}..{last}); load more days before training"
        )
    long = logged >= LONG_LOG
    train, known = (LONG_TRAIN, LONG_KNOWN) if long else (SHORT_TRAIN, SHORT_KNOWN)
    folds = [(TEST, "test"), (VALID, "valid"), *[(age, "train") for age in train]]
    return [Cutoff(shift(last, -age), fold) for age, fold in folds if logged - age >= known]


def make_examples(
    events: DataFrame, ds: str, cutoffs: list[Cutoff], active_days: int, history_events: int
) -> DataFrame:
    """One row per cut-off and user active as of it."""
    kernel = partial(examples, ds=ds, cutoffs=cutoffs, active_days=active_days, history_events=history_events)
    return map_groups(history_rows(events), "user_id", kernel, TRAINING_EXAMPLES.schema)


def examples(
    events: pl.DataFrame, ds: str, cutoffs: list[Cutoff], active_days: int, history_events: int
) -> pl.DataFrame:
    """The examples of the users in `events`, by cut-off and user."""
    listed, counts = listed_events(events), daily_counts(events)
    found = []
    for cutoff in cutoffs:
        after = pl.col("arrival_ds").is_between(pl.lit(cutoff.ds), pl.lit(shift(cutoff.ds, HORIZON)), closed="right")
        users = as_known(listed, counts, cutoff.ds, active_days, history_events)
        future = first_events(listed.filter(after), history_events)
        users = with_list(users, future, "future")
        users = _with_labels(users, counts.filter(after), cutoff.ds)
        found.append(users.with_columns(cutoff_ds=pl.lit(cutoff.ds), fold=pl.lit(cutoff.fold)))
    return pl.concat(found).with_columns(ds=pl.lit(ds))


def first_events(listed: pl.DataFrame, history_events: int) -> pl.DataFrame:
    """The first `history_events` events of each user, in order of event time."""
    return in_event_order(listed).group_by("user_id", maintain_order=True).head(history_events)


def _with_labels(users: pl.DataFrame, after: pl.DataFrame, cutoff_ds: str) -> pl.DataFrame:
    happened = [
        ((pl.col("event_type") == kind) & (pl.col("arrival_ds") <= shift(cutoff_ds, days))).any().alias(name)
        for name, (kind, days) in LABELS.items()
    ]
    acted = pl.col("event_type") != IMPRESSION
    silent = [
        ~((pl.col("arrival_ds") <= shift(cutoff_ds, days)) & acted).any().alias(name) for name, days in CHURN.items()
    ]
    labels = after.group_by("user_id").agg(*happened, *silent)
    joined = users.join(labels, on="user_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col(*LABELS).fill_null(False), pl.col(*CHURN).fill_null(True))
