"""Raw events → what becomes of each row: event, duplicate or quarantine.

A row is judged in this order: rejected at ingest, duplicate, bot. Windows run over the few columns
that they need; the verdicts, which are few, then join the rows by their place in the data files.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.runtime.settings import Settings
from pipeline.tables.registry import EVENTS, QUARANTINE
from spark_jobs.transforms.find_bots import find_bots
from spark_jobs.transforms.find_duplicates import PLACE, SAME_DEED, find_duplicates

NEEDED = (*PLACE, "ds", "user_id", "event_id", "event_time", *SAME_DEED)
DUPLICATE, BOT = "duplicate", "bot"


def placed(raw: DataFrame) -> DataFrame:
    """Rows read from `raw_events` with the place of each in its data file, which names it."""
    if not raw.inputFiles():
        return raw.withColumns({"data_file": F.lit(""), "data_row": F.lit(0)})
    return raw.select(
        "*",
        F.col("_metadata.file_name").alias("data_file"),
        F.col("_metadata.row_index").alias("data_row"),
    )


def judge(
    raw: DataFrame, first: str, settings: Settings, near_seconds: dict[str, float]
) -> DataFrame:
    """The rows from `first` on that become no event though they are valid, each with a `verdict`.

    `raw` reaches back `dedup_days` - 1 days before `first`; it carries PLACE.
    """
    valid = raw.where("reject_reason IS NULL").select(*NEEDED)
    marked = find_duplicates(valid, settings.dedup_days, near_seconds).where(F.col("ds") >= first)
    marked = find_bots(marked, settings.bot_events_per_day, settings.bot_events_per_minute)
    verdict = F.when(F.col("is_duplicate"), DUPLICATE).when(F.col("is_bot"), BOT)
    return marked.select(*PLACE, "ds", "platform", verdict.alias("verdict")).where(
        "verdict IS NOT NULL"
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
    content = [
        n for n in EVENTS.schema.names if n not in ("ds", "platform", "user_id", "arrival_ds")
    ]
    by_bots = (
        raw.join(bots, list(PLACE), "left_semi")
        .withColumn("record", F.to_json(F.struct(*content)))
        .withColumn("reason", F.lit(BOT))
    )
    return rejected.unionByName(by_bots).select(*QUARANTINE.schema.names)
