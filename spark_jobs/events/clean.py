"""Raw events → the fate of each row: event, duplicate or quarantine.

A row is judged in this order: rejected at ingest, duplicate, bot. Accounts are judged by the few columns that this
needs; the verdicts, which are few, then join the rows by their place in the data files.
"""

from functools import partial

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.runtime.settings import Settings
from pipeline.sources.source import Source
from pipeline.tables.registry import EVENTS, QUARANTINE
from spark_jobs.engine.kernels import MICROS, Kernel, map_groups
from spark_jobs.events.sessions import local_day

PLACE = ("data_file", "data_row")  # the place of a row, in the order in which it was read
SAME_DEED = ("platform", "item_id", "event_type", "quantity", "price", "query")
NEEDED = (*PLACE, "ds", "account_id", "event_id", "event_time", *SAME_DEED)
DUPLICATE, BOT = "duplicate", "bot"
VERDICT = pa.schema(
    [("data_file", "string"), ("data_row", "int64"), ("ds", "string"), ("platform", "string"), ("verdict", "string")]
)
BROWSING = ("impression", "view", "search")
# A local day is judged over the row's arrival day and the one before it: the zone's midnight cuts it at most once.
BOT_DAYS = 2


def lookback_days(settings: Settings) -> int:
    """Days before its own of which judging a day needs the raw rows.

    Of the rows that bots are judged by, duplicates must be known too.
    """
    return settings.dedup_days + BOT_DAYS - 2


def placed(raw: DataFrame) -> DataFrame:
    """Rows read from `raw_events` with the place of each in its data file, which names it."""
    if not raw.inputFiles():
        return raw.withColumns({"data_file": F.lit(""), "data_row": F.lit(0)})
    return raw.select(
        "*",
        F.col("_metadata.file_name").alias("data_file"),
        F.col("_metadata.row_index").alias("data_row"),
    )


def judge(raw: DataFrame, days: list[str], settings: Settings, sources: list[Source]) -> DataFrame:
    """The rows of `days` that become no event though they are valid, each with a `verdict`.

    `raw` reaches back `lookback_days` before the first of them; it carries PLACE.
    """
    valid = raw.where("reject_reason IS NULL").select(*NEEDED)
    return map_groups(valid, "account_id", verdict_kernel(days, settings, sources), VERDICT)


def verdict_kernel(days: list[str], settings: Settings, sources: list[Source]) -> Kernel:
    """`verdicts` with what settings and sources say."""
    return partial(
        verdicts,
        days=days,
        dedup_days=settings.dedup_days,
        near_seconds={source.platform: source.near_duplicate_seconds for source in sources},
        zones={source.platform: source.timezone for source in sources},
        bot_limits=(settings.bot_events_per_day, settings.bot_events_per_minute),
    )


def keep_events(raw: DataFrame, verdicts: DataFrame) -> DataFrame:
    """The rows of `raw` that are valid and have no verdict, as `events`."""
    judged = verdicts.select(*PLACE)
    kept = raw.where("reject_reason IS NULL").join(judged, list(PLACE), "left_anti")
    return kept.select(*EVENTS.schema.names)


def quarantine(raw: DataFrame, verdicts: DataFrame) -> DataFrame:
    """The rejected rows of `raw` and the bots' rows, as `quarantine`."""
    rejected = raw.where("reject_reason IS NOT NULL").withColumn("reason", F.col("reject_reason"))
    bots = verdicts.where(F.col("verdict") == BOT).select(*PLACE)
    content = [n for n in EVENTS.schema.names if n not in ("ds", "platform", "account_id", "arrival_ds", "known_ds")]
    by_bots = (
        raw.join(bots, list(PLACE), "left_semi")
        .withColumn("record", F.to_json(F.struct(*content)))
        .withColumn("reason", F.lit(BOT))
    )
    return rejected.unionByName(by_bots).select(*QUARANTINE.schema.names)


def verdicts(
    rows: pl.DataFrame,
    days: list[str],
    dedup_days: int,
    near_seconds: dict[str, float],
    zones: dict[str, str],
    bot_limits: tuple[int, int],
) -> pl.DataFrame:
    """VERDICT of the rows of `days`, of whole accounts; see `find_duplicates` and `find_bots`."""
    marked = find_bots(find_duplicates(rows, dedup_days, near_seconds), days, zones, *bot_limits)
    verdict = pl.when("is_duplicate").then(pl.lit(DUPLICATE)).when("is_bot").then(pl.lit(BOT))
    return marked.with_columns(verdict=verdict).filter(pl.col("verdict").is_not_null())


def find_bots(
    rows: pl.DataFrame, days: list[str], zones: dict[str, str], per_day: int, per_minute: int
) -> pl.DataFrame:
    """The rows of `days` with `is_bot`: the account browsed too much on a local day of its platform.

    Each row is judged by what had arrived on its own arrival day and the BOT_DAYS - 1 before it: so a range says the
    same as its days, and a later arrival never makes a bot of an earlier row. Duplicates do not count: a file
    delivered twice makes nobody a bot. `zones` gives the time zone of each platform.
    """
    day = ["account_id", "platform", "night", "local_day"]
    own = rows.filter(pl.col("ds").is_in(days)).with_columns(night=pl.col("ds"), local_day=_local_day(zones))
    browsed = rows.filter(pl.col("event_type").is_in(BROWSING) & ~pl.col("is_duplicate")).select(
        "account_id",
        "platform",
        night=pl.concat_list([_days_after("ds", after) for after in range(BOT_DAYS)]),
        local_day=_local_day(zones),
        minute=pl.col("event_time").dt.truncate("1m"),
    )
    seen = browsed.explode("night").filter(pl.col("night").is_in(days))
    counted = seen.group_by(*day, "minute").len().group_by(day).agg(in_day=pl.sum("len"), in_minute=pl.max("len"))
    found = own.join(counted, on=day, how="left", maintain_order="left")
    is_bot = (pl.col("in_day") > per_day) | (pl.col("in_minute") > per_minute)
    return found.with_columns(is_bot=is_bot.fill_null(False)).select(*rows.columns, "is_bot")


def _local_day(zones: dict[str, str]) -> pl.Expr:
    """The calendar day of an event where its platform is; a platform without a source has UTC."""
    return pl.coalesce(local_day(pl.col("event_time"), zones), pl.col("event_time").dt.date())


def _days_after(name: str, days: int) -> pl.Expr:
    return pl.col(name).str.to_date().dt.offset_by(f"{days}d").dt.to_string("%Y-%m-%d")


def find_duplicates(rows: pl.DataFrame, dedup_days: int, near_seconds: dict[str, float]) -> pl.DataFrame:
    """Adds `is_duplicate`. `near_seconds` gives the span of near duplicates by platform.

    Exact: the same event_id. Near: the same account, platform, item, type, quantity, price and query at most
    `near_seconds` from the row before it, by arrival day, then time. Rows that are equal in all of this are ordered by
    PLACE: were the two orders to differ, each would take another copy.
    """
    same = ["account_id", "event_id"]
    found = rows.sort(*same, "ds", *PLACE).with_columns(is_duplicate=_repeats(same) & _recent(dedup_days))
    near = {name: int(seconds * MICROS) for name, seconds in near_seconds.items() if seconds > 0}
    if not near:
        return found
    same = ["account_id", *SAME_DEED]
    limit = pl.col("platform").replace_strict(near, default=-1, return_dtype=pl.Int64)
    apart = (pl.col("event_time") - pl.col("event_time").shift()).dt.total_microseconds().abs()
    is_near = _repeats(same) & _recent(dedup_days) & (apart <= limit).fill_null(False)
    by_deed = found.sort(*same, "ds", "event_time", "event_id", *PLACE)
    return by_deed.with_columns(is_duplicate=pl.col("is_duplicate") | is_near)


def _repeats(same: list[str]) -> pl.Expr:
    """Whether the row before is the same in these columns."""
    equal = [pl.col(name).eq_missing(pl.col(name).shift()) for name in same]
    return pl.all_horizontal(equal) & (pl.int_range(pl.len()) > 0)


def _recent(dedup_days: int) -> pl.Expr:
    """Whether the row before arrived within the days in which duplicates are sought."""
    day = pl.col("ds").str.to_date()
    return ((day - day.shift()).dt.total_days() < dedup_days).fill_null(False)
