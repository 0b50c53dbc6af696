"""Raw events → the fate of each row: event, duplicate or quarantine.

A row is judged in this order: rejected at ingest, duplicate, bot. Windows run over the few columns that they need; the
verdicts, which are few, then join the rows by their place in the data files.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pipeline.runtime.settings import Settings
from pipeline.sources.source import Source
from pipeline.tables.registry import EVENTS, QUARANTINE

PLACE = ("data_file", "data_row")  # the place of a row, in the order in which it was read
SAME_DEED = ("platform", "item_id", "event_type", "quantity", "price", "query")
NEEDED = (*PLACE, "ds", "account_id", "event_id", "event_time", *SAME_DEED)
DUPLICATE, BOT = "duplicate", "bot"
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
    near_seconds = {source.platform: source.near_duplicate_seconds for source in sources}
    zones = {source.platform: source.timezone for source in sources}
    valid = raw.where("reject_reason IS NULL").select(*NEEDED)
    marked = find_duplicates(valid, settings.dedup_days, near_seconds)
    marked = find_bots(marked, days, zones, settings.bot_events_per_day, settings.bot_events_per_minute)
    verdict = F.when(F.col("is_duplicate"), DUPLICATE).when(F.col("is_bot"), BOT)
    return marked.select(*PLACE, "ds", "platform", verdict.alias("verdict")).where("verdict IS NOT NULL")


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


def find_bots(rows: DataFrame, days: list[str], zones: dict[str, str], per_day: int, per_minute: int) -> DataFrame:
    """The rows of `days` with `is_bot`: the account browsed too much on a local day of its platform.

    Each row is judged by what had arrived on its own arrival day and the BOT_DAYS - 1 before it: so a range says the
    same as its days, and a later arrival never makes a bot of an earlier row. Duplicates do not count: a file
    delivered twice makes nobody a bot. `zones` gives the time zone of each platform.
    """
    browsing = (F.col("event_type").isin(*BROWSING) & ~F.col("is_duplicate")).cast("int")
    nights = F.array(*[F.date_add("ds", after).cast("string") for after in range(BOT_DAYS)])
    known = rows.withColumn("_night", F.explode(F.filter(nights, lambda night: night.between(days[0], days[-1]))))
    day = ("account_id", "platform", "_night", "_local_day")
    minute = Window.partitionBy(*day, "_minute")  # first: its order serves the day's window too
    counted = known.withColumns(
        {"_local_day": _local_day(zones), "_minute": F.date_trunc("minute", "event_time")}
    ).withColumn("_in_minute", F.sum(browsing).over(minute))
    whole_day = Window.partitionBy(*day)
    too_many = F.sum(browsing).over(whole_day) > per_day
    too_fast = F.max("_in_minute").over(whole_day) > per_minute
    judged = counted.withColumn("is_bot", too_many | too_fast).where(F.col("_night") == F.col("ds"))
    return judged.drop("_night", "_local_day", "_minute", "_in_minute")


def _local_day(zones: dict[str, str]) -> Column:
    """The calendar day of an event where its platform is; a platform without a source has UTC."""
    named = F.create_map(*[F.lit(part) for name, zone in zones.items() for part in (name, zone)]) if zones else None
    zone = F.lit("UTC") if named is None else F.coalesce(named[F.col("platform")], F.lit("UTC"))
    return F.to_date(F.from_utc_timestamp("event_time", zone))


def find_duplicates(rows: DataFrame, dedup_days: int, near_seconds: dict[str, float]) -> DataFrame:
    """Adds `is_duplicate`. `near_seconds` gives the span of near duplicates by platform.

    Exact: the same event_id. Near: the same account, platform, item, type, quantity, price and query at most
    `near_seconds` from the row before it, by arrival day, then time. Rows that are equal in all of this are ordered by
    PLACE: were the two windows to differ, each would take another copy.
    """
    by_account = rows.repartition("account_id")  # every window below is within an account: one shuffle
    same = Window.partitionBy("account_id", "event_id").orderBy("ds", *PLACE)
    repeated = _recent(F.lag("ds").over(same), dedup_days)
    near = {platform: seconds for platform, seconds in near_seconds.items() if seconds > 0}
    if near:
        repeated = repeated | _is_near(near, dedup_days)
    return by_account.withColumn("is_duplicate", repeated)


def _is_near(near_seconds: dict[str, float], dedup_days: int) -> Column:
    order = Window.partitionBy("account_id", *SAME_DEED).orderBy("ds", "event_time", "event_id", *PLACE)
    limits = F.create_map(*[F.lit(part) for name, seconds in near_seconds.items() for part in (name, float(seconds))])
    limit = F.coalesce(limits[F.col("platform")], F.lit(-1.0)) * 1_000_000
    apart = F.unix_micros("event_time") - F.lag(F.unix_micros("event_time")).over(order)
    recent = _recent(F.lag("ds").over(order), dedup_days)
    return recent & (F.coalesce(F.abs(apart), F.lit(0)) <= limit)


def _recent(before: Column, dedup_days: int) -> Column:
    """Whether the row before exists and arrived within the days in which duplicates are sought."""
    days = F.datediff(F.col("ds"), before)
    return F.coalesce(days < dedup_days, F.lit(False))
