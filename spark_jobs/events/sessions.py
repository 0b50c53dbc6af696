"""Events to sessions: one pass over each account's events in order of time.

A session ends after `gap` of silence, or `longest` after the first event of its chain: unbroken activity is cut every
`longest`, counted from the chain's first event. Both ends are exclusive: an event exactly `gap` after the last one
opens the next session.

It belongs to the platform's local day on which it closes, `gap` after its last event. An event is late when it arrived
after its own local day. The session it would have joined may be out already, so late events form sessions among those
of the same arrival day, which own them.

Limit: a range looks `LOOKBACK_DAYS` back, so unbroken activity longer than 48 h is cut at another hour in different
ranges. Cleaning takes out the bots that are awake that long.
"""

from datetime import timedelta
from functools import partial

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.runtime.errors import SourceError
from pipeline.tables.registry import SESSIONS
from spark_jobs.engine.kernels import exact_sum, map_groups

# Two local days hold 48 h of a chain; the third, rows that arrived a day before their own.
LOOKBACK_DAYS = 3
COLUMNS = (
    "platform",
    "account_id",
    "event_id",
    "item_id",
    "event_type",
    "event_time",
    "arrival_ds",
    "quantity",
    "price",
)
LANE = ("account_id", "platform", "late_ds")  # what events must share to meet
COUNTED = {
    "views": "view",
    "searches": "search",
    "carts": "cart",
    "purchases": "purchase",
    "returns": "return",
}
MICROSECOND = timedelta(microseconds=1)
WITHOUT_ID = pa.schema([field for field in SESSIONS.schema if field.name != "session_id"])


def sessionize(events: DataFrame, zones: dict[str, str], gap: timedelta, longest: timedelta) -> DataFrame:
    """One row per session of `events`; `zones` gives the time zone of each platform."""
    kernel = partial(account_sessions, zones=zones, gap=gap, longest=longest)
    sessions = map_groups(events.select(*COLUMNS), "account_id", kernel, WITHOUT_ID)
    start = F.unix_micros("started_at").cast("string")
    identity = F.concat_ws("|", "account_id", "platform", start, F.col("is_late").cast("string"))
    return sessions.withColumn("session_id", F.substring(F.sha2(identity, 256), 1, 32))


def account_sessions(events: pl.DataFrame, zones: dict[str, str], gap: timedelta, longest: timedelta) -> pl.DataFrame:
    """All sessions of the accounts in `events`, ordered by account, platform and start."""
    rows = _number_sessions(_in_order(events, zones), gap, longest)
    sessions = rows.group_by("session", maintain_order=True).agg(
        pl.first("platform", "account_id", "is_late", "late_ds"),
        pl.first("event_time").alias("started_at"),
        pl.last("event_time").alias("ended_at"),
        pl.len().alias("events"),
        *[(pl.col("event_type") == kind).sum().alias(name) for name, kind in COUNTED.items()],
        pl.col("item_id").drop_nulls().n_unique().alias("items"),
        exact_sum(pl.col("paid")).alias("value"),
    )
    closed = local_day(pl.col("ended_at") + gap, zones).dt.to_string("%Y-%m-%d")
    duration = (pl.col("ended_at") - pl.col("started_at")).dt.total_seconds(fractional=True)
    return sessions.join(_paths(rows), on="session", how="left", maintain_order="left").with_columns(
        ds=pl.when("is_late").then("late_ds").otherwise(closed),
        duration_seconds=duration,
        item_ids=pl.col("item_ids").fill_null([]),
    )


def _in_order(events: pl.DataFrame, zones: dict[str, str]) -> pl.DataFrame:
    """Events lane by lane in order of time; ties in time are broken by event_id."""
    require_zones(events, zones)
    late = local_day(pl.col("event_time"), zones) < pl.col("arrival_ds").str.to_date()
    paid = pl.when(pl.col("event_type") == "purchase").then(pl.col("quantity") * pl.col("price"))
    rows = events.with_columns(is_late=late, paid=paid)
    rows = rows.with_columns(late_ds=pl.when("is_late").then("arrival_ds").otherwise(pl.lit("")))
    return rows.sort(*LANE, "event_time", "event_id")


def _number_sessions(rows: pl.DataFrame, gap: timedelta, longest: timedelta) -> pl.DataFrame:
    """`session` numbers the sessions of rows in order, from 1."""
    new_lane = pl.any_horizontal([pl.col(name) != pl.col(name).shift() for name in LANE])
    silence = pl.col("event_time").diff() >= gap
    new_chain = (new_lane | silence).fill_null(True)
    chain_start = pl.when(new_chain).then("event_time").forward_fill()
    part = (pl.col("event_time") - chain_start).dt.total_microseconds() // (longest // MICROSECOND)
    new_session = (new_chain | (part != part.shift())).fill_null(True)
    return rows.with_columns(session=new_session.cum_sum())


def _paths(rows: pl.DataFrame) -> pl.DataFrame:
    """The items of each session in order of time, without immediate repeats."""
    visits = rows.filter(pl.col("item_id").is_not_null())
    moved = pl.any_horizontal([pl.col(name) != pl.col(name).shift() for name in ("session", "item_id")]).fill_null(True)
    return visits.filter(moved).group_by("session").agg(item_ids=pl.col("item_id"))


def local_day(instant: pl.Expr, zones: dict[str, str]) -> pl.Expr:
    """The calendar day of an instant in the zone of the row's `platform`; null for one without a zone."""
    days = [
        pl.when(pl.col("platform") == platform).then(instant.dt.convert_time_zone(zone).dt.date())
        for platform, zone in zones.items()
    ]
    return pl.coalesce(*days, pl.lit(None, pl.Date))


def require_zones(events: pl.DataFrame, zones: dict[str, str]) -> None:
    """Raises SourceError for a platform without a zone: its events would belong to no day."""
    unknown = sorted(set(events["platform"].unique()) - set(zones))
    if unknown:
        raise SourceError(
            f"events: expected platforms with a source ({', '.join(zones)}), found "
            f"{', '.join(unknown)}; their source file gives the time zone, bring it back"
        )
