"""What each user of an experiment did: one row per user whose days after entry are over."""

import numpy as np
import polars as pl

from pipeline.decisions.experiments.assignment import assign
from pipeline.decisions.experiments.experiment import BEFORE, Experiment, Metric
from pipeline.decisions.experiments.listed import listed_users
from pipeline.runtime.days import shift
from pipeline.runtime.errors import ExperimentError
from pipeline.runtime.settings import Settings
from pipeline.storage.declared import polars_rows
from pipeline.storage.persons import persons_as_of
from pipeline.storage.reading import pinned_files
from pipeline.tables.registry import EVENTS

COLUMNS = ["ds", "account_id", "event_type", "quantity", "price"]


def read_outcomes(experiment: Experiment, settings: Settings, ds: str) -> pl.DataFrame:
    """Users as known at `ds`: user_id, entry, done (days), arm, and per metric its value and, as `<metric>_before`, the
    same over as many days before entry. Ordered by the day of being done. Raises ExperimentError when nobody has
    entered.
    """
    first = shift(experiment.first_day, -experiment.window_days)
    _, files = pinned_files("events", first, ds, settings)
    if not files:
        raise ExperimentError(f"{experiment.file}: no events of {first}..{ds} are published; load them first")
    listed = listed_users(experiment, settings, ds).lazy() if experiment.by_list else None
    events = persons_as_of(settings, ds).of_lazy(polars_rows(EVENTS, files, COLUMNS))
    return outcomes(events, experiment, ds, listed)


def outcomes(events: pl.LazyFrame, experiment: Experiment, ds: str, listed: pl.LazyFrame | None = None) -> pl.DataFrame:
    """The same of given events: days are arrival days, so that a report can be made again.

    `listed` (`user_id`, `entry`) are users who enter by a list: they count without any event, too.
    """
    window = pl.duration(days=experiment.window_days)
    daily = (
        events.with_columns(day=pl.col("ds").str.to_date())
        .group_by("user_id", "day")
        .agg(_enters(experiment).any().alias("enters"), *map(_daily, experiment.metrics))
    )
    between = pl.col("day").is_between(
        pl.lit(experiment.first_day).str.to_date(), pl.lit(experiment.last_day).str.to_date()
    )
    by_event = daily.filter("enters", between).group_by("user_id").agg(entry=pl.col("day").min())
    entered = by_event if listed is None else listed
    done = pl.col("entry") + window
    over = entered.with_columns(done=done).filter(pl.col("done") <= pl.lit(shift(ds, 1)).str.to_date())
    after = pl.col("day").is_between("entry", "done", closed="left")
    before = pl.col("day").is_between(pl.col("entry") - window, "entry", closed="left")
    sums = [
        _of_window(metric, when).alias(metric.name + suffix)
        for metric in experiment.metrics
        for when, suffix in ((after, ""), (before, BEFORE))
    ]
    keys = ["user_id", "entry", "done"]
    users = over.join(daily, on="user_id", how="left").group_by(keys).agg(sums).sort("done", "user_id")
    found = users.collect(engine="streaming")
    shares = tuple(share for _, share in experiment.arms)
    arm = assign(found["user_id"].to_list(), experiment.salt, shares)
    return found.with_columns(arm=pl.Series(arm, dtype=pl.Int8)).filter(pl.col("arm") >= 0)


def aligned(users: pl.DataFrame, metric: Metric) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arm, metric, and metric before, of the users in their order."""
    return (
        users["arm"].to_numpy(),
        users[metric.name].to_numpy().astype(float),
        users[metric.name + BEFORE].to_numpy().astype(float),
    )


def _enters(experiment: Experiment) -> pl.Expr:
    return pl.col("event_type") == experiment.entry if experiment.entry else pl.lit(True)


def _daily(metric: Metric) -> pl.Expr:
    mine = pl.col("event_type") == metric.event
    if metric.value == "revenue":
        worth = (pl.col("quantity") * pl.col("price")).fill_null(0.0)
        return pl.when(mine).then(worth).otherwise(0.0).sum().alias(metric.name)
    return mine.sum().cast(pl.Float64).alias(metric.name)


def _of_window(metric: Metric, when: pl.Expr) -> pl.Expr:
    whole = pl.when(when).then(pl.col(metric.name)).otherwise(0.0).sum()
    return (whole > 0).cast(pl.Float64) if metric.value == "users" else whole
