"""The accounting identity: rows landed = events + duplicates + quarantined, per platform and day.

Every count comes from a place of its own (landed rows from `raw_events`, events and quarantine from the files that were
staged, duplicates from the verdicts), so that the identity is a real check.
"""

from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.tables.registry import ACCOUNTING
from spark_jobs.events.clean import BOT, DUPLICATE

KEY = ["ds", "platform"]


def account(raw: DataFrame, events: DataFrame, quarantine: DataFrame, verdicts: DataFrame, due: DataFrame) -> DataFrame:
    """One row per (ds, platform) of `due` or with any rows; zeros where there are none."""
    duplicates = verdicts.where(F.col("verdict") == DUPLICATE)
    counts = [
        _count(raw, "rows_landed"),
        _count(events, "events"),
        _count(duplicates, "duplicates"),
        _reasons(quarantine),
    ]
    joined = reduce(lambda left, right: left.join(right, KEY, "full"), counts, due.select(*KEY))
    numbers = ["rows_landed", "events", "duplicates", "quarantined"]
    return (
        joined.fillna(0, numbers)
        .select(*KEY, *numbers, F.coalesce("quarantine_reasons", F.array()).alias("quarantine_reasons"))
        .select(*ACCOUNTING.schema.names)
    )


def expected_rows(raw: DataFrame, verdicts: DataFrame, days: list[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Rows that `events` and `quarantine` must have per day, for their audits."""
    rejected = F.col("reject_reason").isNotNull()
    landed = raw.groupBy("ds").agg(F.count_if(~rejected).alias("valid"), F.count_if(rejected).alias("rejected"))
    judged = verdicts.groupBy("ds").agg(F.count("*").alias("judged"), F.count_if(F.col("verdict") == BOT).alias("bots"))
    rows = landed.join(judged, "ds", "left").fillna(0, ["judged", "bots"]).collect()
    events = {row["ds"]: row["valid"] - row["judged"] for row in rows}
    quarantined = {row["ds"]: row["rejected"] + row["bots"] for row in rows}
    nothing = dict.fromkeys(days, 0)
    return nothing | events, nothing | quarantined


def due_days(spark: SparkSession, due: list[tuple[str, str]]) -> DataFrame:
    """The (ds, platform) that accounting must have a row for."""
    return spark.createDataFrame(due, "ds string, platform string")


def _count(rows: DataFrame, name: str) -> DataFrame:
    return rows.groupBy(*KEY).agg(F.count("*").alias(name))


def _reasons(quarantine: DataFrame) -> DataFrame:
    """Quarantined rows, in all and by reason."""
    by_reason = quarantine.groupBy(*KEY, "reason").agg(F.count("*").alias("rows"))
    reasons = F.array_sort(F.collect_list(F.struct("reason", "rows")))
    return by_reason.groupBy(*KEY).agg(F.sum("rows").alias("quarantined"), reasons.alias("quarantine_reasons"))
