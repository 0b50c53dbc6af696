"""Raw events → the fate of each row: event, duplicate or quarantine.

A row is judged in this order: rejected at ingest, duplicate, bot. Windows run over the few columns that they need; the
verdicts, which are few, then join the rows by their place in the data files.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pipeline.runtime.settings import Settings
from pipeline.tables.registry import EVENTS, QUARANTINE

PLACE = ("data_file", "data_row")  # the place of a row, in the order in which it was read
SAME_DEED = ("platform", "item_id", "event_type", "quantity", "price", "query")
NEEDED = (*PLACE, "ds", "user_id", "event_id", "event_time", *SAME_DEED)
DUPLICATE, BOT = "duplicate", "bot"
BROWSING = ("impression", "view", "search")


def placed(raw: DataFrame) -> DataFrame:
    """Rows read from `raw_events` with the place of each in its data file, which names it."""
    if not raw.inputFiles():
        return raw.withColumns({"data_file": F.lit(""), "data_row": F.lit(0)})
    return raw.select(
        "*",
        F.col("_metadata.file_name").alias("data_file"),
        F.col("_metadata.row_index").alias("data_row"),
    )


def judge(raw: DataFrame, first: str, settings: Settings, near_seconds: dict[str, float]) -> DataFrame:
    """The rows from `first` on that become no event though they are valid, each with a `verdict`.

    `raw` reaches back `dedup_days` - 1 days before `first`; it carries PLACE.
    """
    valid = raw.where("reject_reason IS NULL").select(*NEEDED)
    marked = find_duplicates(valid, settings.dedup_days, near_seconds).where(F.col("ds") >= first)
    marked = find_bots(marked, settings.bot_events_per_day, settings.bot_events_per_minute)
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
    content = [n for n in EVENTS.schema.names if n not in ("ds", "platform", "user_id", "arrival_ds")]
    by_bots = (
        raw.join(bots, list(PLACE), "left_semi")
        .withColumn("record", F.to_json(F.struct(*content)))
        .withColumn("reason", F.lit(BOT))
    )
    return rejected.unionByName(by_bots).select(*QUARANTINE.schema.names)


def find_bots(rows: DataFrame, per_day: int, per_minute: int) -> DataFrame:
    """Adds `is_bot`. Duplicates do not count: a file delivered twice makes nobody a bot."""
    browsing = (F.col("event_type").isin(*BROWSING) & ~F.col("is_duplicate")).cast("int")
    day = ("user_id", "platform", "ds")
    minute = Window.partitionBy(*day, "_minute")  # first: its order serves the day's window too
    counted = rows.withColumn("_minute", F.date_trunc("minute", "event_time")).withColumn(
        "_in_minute", F.sum(browsing).over(minute)
    )
    whole_day = Window.partitionBy(*day)
    too_many = F.sum(browsing).over(whole_day) > per_day
    too_fast = F.max("_in_minute").over(whole_day) > per_minute
    return counted.withColumn("is_bot", too_many | too_fast).drop("_minute", "_in_minute")


def find_duplicates(rows: DataFrame, dedup_days: int, near_seconds: dict[str, float]) -> DataFrame:
    """Adds `is_duplicate`. `near_seconds` gives the span of near duplicates by platform.

    Exact: the same event_id. Near: the same user, platform, item, type, quantity, price and query at most
    `near_seconds` from the row before it, by arrival day, then time. Rows that are equal in all of this are ordered by
    PLACE: were the two windows to differ, each would take another copy.
    """
    by_user = rows.repartition("user_id")  # every window below is within a user: one shuffle
    same = Window.partitionBy("user_id", "event_id").orderBy("ds", *PLACE)
    repeated = _recent(F.lag("ds").over(same), dedup_days)
    near = {platform: seconds for platform, seconds in near_seconds.items() if seconds > 0}
    if near:
        repeated = repeated | _is_near(near, dedup_days)
    return by_user.withColumn("is_duplicate", repeated)


def _is_near(near_seconds: dict[str, float], dedup_days: int) -> Column:
    order = Window.partitionBy("user_id", *SAME_DEED).orderBy("ds", "event_time", "event_id", *PLACE)
    limits = F.create_map(*[F.lit(part) for name, seconds in near_seconds.items() for part in (name, float(seconds))])
    limit = F.coalesce(limits[F.col("platform")], F.lit(-1.0)) * 1_000_000
    apart = F.unix_micros("event_time") - F.lag(F.unix_micros("event_time")).over(order)
    recent = _recent(F.lag("ds").over(order), dedup_days)
    return recent & (F.coalesce(F.abs(apart), F.lit(0)) <= limit)


def _recent(before: Column, dedup_days: int) -> Column:
    """Whether the row before exists and arrived within the days in which duplicates are sought."""
    days = F.datediff(F.col("ds"), before)
    return F.coalesce(days < dedup_days, F.lit(False))
