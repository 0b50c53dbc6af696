"""Yesterday's histories and the events since, to the histories of each day."""

from functools import partial

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.tables import USER_HISTORY
from spark_jobs.transforms.history import (
    DAILY_FIELDS,
    EVENT_FIELDS,
    as_known,
    daily_counts,
    history_rows,
    listed_events,
)
from spark_jobs.transforms.whole_groups import map_groups

PAST = ["past_events", "past_daily"]


def accumulate(
    past: DataFrame, events: DataFrame, days: list[str], active_days: int, history_events: int
) -> DataFrame:
    """`user_history` of each of `days`, merged from `past` (one earlier day of it, or no rows) and
    the `events` that arrived since; without `past`, events of the whole window are needed.
    """
    kept = past.select(
        "user_id", F.col("events").alias("past_events"), F.col("daily").alias("past_daily")
    )
    rows = kept.unionByName(history_rows(events), allowMissingColumns=True)
    kernel = partial(histories, days=days, active_days=active_days, history_events=history_events)
    return map_groups(rows, "user_id", kernel, USER_HISTORY.schema)


def histories(
    rows: pl.DataFrame, days: list[str], active_days: int, history_events: int
) -> pl.DataFrame:
    """The histories of the users in `rows`, for every day of `days`, by day and user."""
    events = rows.filter(pl.col("arrival_ds").is_not_null()).drop(PAST)
    past = rows.filter(pl.col("arrival_ds").is_null())
    listed = pl.concat([_unpack(past, "past_events", EVENT_FIELDS), listed_events(events)])
    counts = pl.concat([_unpack(past, "past_daily", DAILY_FIELDS), daily_counts(events)])
    return pl.concat([as_known(listed, counts, ds, active_days, history_events) for ds in days])


def _unpack(past: pl.DataFrame, name: str, fields: list[str]) -> pl.DataFrame:
    """A list column as rows again."""
    filled = past.select("user_id", name).filter(pl.col(name).list.len() > 0)
    return filled.explode(name).unnest(name).select("user_id", *fields)
