"""What is known about a user as of a day: newest events and daily counts.

Which events are kept is decided by order of arrival, which is also what moves the window: so an event that the cap
dropped could never come back, and yesterday's state plus today's events gives the same rows as a rebuild. The list
itself is in order of event time.
"""

from functools import partial

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.runtime.days import shift
from pipeline.tables.registry import DAILY_COUNTS, HISTORY_EVENTS, IMPRESSION, USER_HISTORY
from spark_jobs.engine.kernels import Made, exact_sum, made_by_group
from spark_jobs.states.known import known_day

EVENT_FIELDS = [field.name for field in HISTORY_EVENTS.value_type]
DAILY_FIELDS = [field.name for field in DAILY_COUNTS.value_type]
DAY_KEY = ["user_id", "arrival_ds", "platform", "event_type"]
TIES = ["item_id", "event_type", "quantity", "price", "text"]
TEXT_LENGTH = 200

COLUMNS = USER_HISTORY.schema.names
STATE = [name for name in COLUMNS if name not in ("ds", "user_id")]


def history_rows(events: DataFrame) -> DataFrame:
    """The columns of `events` (with the `user_id` of each person) that a history holds; `text` is the query or the
    review, cut. `arrival_ds` is the day from which the event is known.
    """
    kind = F.col("event_type")
    said = F.when(kind == "search", F.col("query")).when(kind == "review", F.col("text"))
    text = F.substring(said, 1, TEXT_LENGTH).alias("text")
    fields = [name for name in EVENT_FIELDS if name not in ("arrival_ds", "text")]
    return events.select("user_id", "platform", *fields, known_day().alias("arrival_ds"), text)


def listed_events(events: pl.DataFrame) -> pl.DataFrame:
    """The events that a history lists, in order of arrival: impressions are only counted."""
    listed = events.filter(pl.col("event_type") != IMPRESSION)
    return listed.select("user_id", *EVENT_FIELDS)


def daily_counts(events: pl.DataFrame) -> pl.DataFrame:
    """One row per user, arrival day, platform and event type."""
    value = pl.col("quantity") * pl.col("price")
    return events.group_by(DAY_KEY).agg(
        pl.len().cast(pl.Int32).alias("events"),
        exact_sum(pl.col("quantity")).alias("quantity"),
        exact_sum(value).alias("value"),
    )


def as_known(
    listed: pl.DataFrame, counts: pl.DataFrame, ds: str, active_days: int, history_events: int
) -> pl.DataFrame:
    """One row per user with an event in the `active_days` up to `ds`: a row of `user_history`."""
    window = pl.col("arrival_ds").is_between(pl.lit(shift(ds, -active_days)), pl.lit(ds), closed="right")
    counts = counts.filter(window).sort(DAY_KEY)
    users = counts.group_by("user_id", maintain_order=True).agg(
        platforms=pl.col("platform").unique().sort(),
        first_ds=pl.col("arrival_ds").first(),
        last_ds=pl.col("arrival_ds").last(),
        daily=pl.struct(DAILY_FIELDS),
    )
    newest = newest_events(listed.filter(window), history_events)
    return with_list(users, newest, "events").with_columns(ds=pl.lit(ds))


def newest_events(listed: pl.DataFrame, history_events: int) -> pl.DataFrame:
    """The `history_events` latest arrivals of each user, in order of event time."""
    by_arrival = listed.sort("user_id", "arrival_ds", "event_time", *TIES)
    latest = by_arrival.group_by("user_id", maintain_order=True).tail(history_events)
    return in_event_order(latest)


def in_event_order(listed: pl.DataFrame) -> pl.DataFrame:
    """Each user's events, oldest first, in a total order."""
    return listed.sort("user_id", "event_time", "arrival_ds", *TIES)


def with_list(users: pl.DataFrame, events: pl.DataFrame, name: str) -> pl.DataFrame:
    """`users` with each one's `events` as a list, empty where there are none."""
    lists = events.group_by("user_id", maintain_order=True).agg(pl.struct(EVENT_FIELDS).alias(name))
    joined = users.join(lists, on="user_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col(name).fill_null([]))


def accumulate(past: DataFrame, events: DataFrame, days: list[str], active_days: int, history_events: int) -> Made:
    """`user_history` of each of `days`, merged from `past` (one earlier day of it, or no rows) and the `events` that
    arrived since; of users without `past`, events of the whole window are needed. A user may have several histories
    in `past`: those of accounts that have become one person.
    """
    state = [F.col(name).alias(f"past_{name}") for name in STATE]
    packed = past.select("user_id", *state)
    rows = packed.unionByName(history_rows(events), allowMissingColumns=True)
    kernel = partial(histories, days=days, active_days=active_days, history_events=history_events)
    return made_by_group(rows, "user_id", kernel, USER_HISTORY.schema)


def histories(rows: pl.DataFrame, days: list[str], active_days: int, history_events: int) -> pl.DataFrame:
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
    if moved["user_id"].is_duplicated().any():
        counts = _added_up(counts)
    found = [as_known(listed, counts, ds, active_days, history_events) for ds in days]
    found += [kept.with_columns(ds=pl.lit(ds)) for ds in days]
    return pl.concat([rows.select(COLUMNS) for rows in found])


def _stays(events: pl.DataFrame, expired_ds: str, history_events: int) -> pl.Expr:
    """Whether a past history is still the user's: most of them are, and need no unpacking."""
    silent = ~pl.col("user_id").is_in(events["user_id"].unique().implode()) & pl.col("user_id").is_unique()
    fits = pl.col("events").list.len() <= history_events
    return silent & fits & (pl.col("first_ds") > expired_ds)


def _added_up(counts: pl.DataFrame) -> pl.DataFrame:
    """The counts with one row per DAY_KEY, also of users that several histories tell of."""
    numbers = pl.col("events").sum(), exact_sum(pl.col("quantity")), exact_sum(pl.col("value"))
    return counts.group_by(DAY_KEY).agg(*numbers).select(counts.columns)


def _unpack(past: pl.DataFrame, name: str, fields: list[str]) -> pl.DataFrame:
    """A list column as rows again."""
    filled = past.select("user_id", name).filter(pl.col(name).list.len() > 0)
    return filled.explode(name).unnest(name).select("user_id", *fields)
