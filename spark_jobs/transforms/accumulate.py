"""Yesterday's histories and the events since, to the histories of each day."""

from functools import partial

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.runtime.days import shift
from pipeline.tables.registry import USER_HISTORY
from spark_jobs.engine.kernels import map_groups
from spark_jobs.states.history import (
    DAILY_FIELDS,
    EVENT_FIELDS,
    as_known,
    daily_counts,
    history_rows,
    listed_events,
)

COLUMNS = USER_HISTORY.schema.names
STATE = [name for name in COLUMNS if name not in ("ds", "user_id")]


def accumulate(
    past: DataFrame, events: DataFrame, days: list[str], active_days: int, history_events: int
) -> DataFrame:
    """`user_history` of each of `days`, merged from `past` (one earlier day of it, or no rows) and
    the `events` that arrived since; without `past`, events of the whole window are needed.
    """
    state = [F.col(name).alias(f"past_{name}") for name in STATE]
    packed = past.select("user_id", *state)
    rows = packed.unionByName(history_rows(events), allowMissingColumns=True)
    kernel = partial(histories, days=days, active_days=active_days, history_events=history_events)
    return map_groups(rows, "user_id", kernel, USER_HISTORY.schema)


def histories(
    rows: pl.DataFrame, days: list[str], active_days: int, history_events: int
) -> pl.DataFrame:
    """The histories of the users in `rows`, for every day of `days`.

    Rows of past histories hold `past_<column>` alone, rows of events the columns of events.
    """
    is_past = pl.col("arrival_ds").is_null()
    past = rows.filter(is_past).select("user_id", pl.col("^past_.*$").name.replace("past_", ""))
    events = rows.filter(~is_past)
    stays = _stays(events, shift(days[-1], -active_days), history_events)
    kept, moved = past.filter(stays), past.filter(~stays)
    listed = pl.concat([_unpack(moved, "events", EVENT_FIELDS), listed_events(events)])
    counts = pl.concat([_unpack(moved, "daily", DAILY_FIELDS), daily_counts(events)])
    found = [as_known(listed, counts, ds, active_days, history_events) for ds in days]
    found += [kept.with_columns(ds=pl.lit(ds)) for ds in days]
    return pl.concat([rows.select(COLUMNS) for rows in found])


def _stays(events: pl.DataFrame, expired_ds: str, history_events: int) -> pl.Expr:
    """Whether a past history is still the user's: most of them are, and need no unpacking."""
    silent = ~pl.col("user_id").is_in(events["user_id"].unique().implode())
    fits = pl.col("events").list.len() <= history_events
    return silent & fits & (pl.col("first_ds") > expired_ds)


def _unpack(past: pl.DataFrame, name: str, fields: list[str]) -> pl.DataFrame:
    """A list column as rows again."""
    filled = past.select("user_id", name).filter(pl.col(name).list.len() > 0)
    return filled.explode(name).unnest(name).select("user_id", *fields)
