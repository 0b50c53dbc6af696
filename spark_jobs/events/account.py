"""The accounting identity: rows landed = events + duplicates + quarantined, per platform and day.

Every count comes from a place of its own (landed rows from `raw_events`, events and quarantine from the files that were
staged, duplicates from the verdicts), so that the identity is a real check.
"""

from collections.abc import Iterable

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.tables.registry import ACCOUNTING
from spark_jobs.events.clean import BOT, DUPLICATE

KEY = ["ds", "platform"]
NUMBERS = ["rows_landed", "events", "duplicates", "quarantined"]
Due = Iterable[tuple[str, str]]  # the days and platforms that accounting must have a row for
REASON = pl.Struct({"reason": pl.String, "rows": pl.Int64})


def count_verdicts(verdicts: DataFrame) -> pl.DataFrame:
    """`verdicts` of `judge` → ds, platform, verdict, rows."""
    counts = pl.from_arrow(verdicts.groupBy(*KEY, "verdict").agg(F.count("*").alias("rows")).toArrow())
    assert isinstance(counts, pl.DataFrame)
    return counts


def account(
    raw: pl.LazyFrame, events: pl.LazyFrame, quarantine: pl.LazyFrame, verdicts: pl.DataFrame, due: Due
) -> pl.DataFrame:
    """One row per (ds, platform) of `due` or with any rows; zeros where there are none.

    `verdicts` are those of `count_verdicts`.
    """
    duplicates = verdicts.filter(pl.col("verdict") == DUPLICATE).group_by(KEY).agg(pl.sum("rows").alias("duplicates"))
    found = pl.DataFrame(list(due), dict.fromkeys(KEY, pl.String), orient="row")
    for counts in (_count(raw, "rows_landed"), _count(events, "events"), duplicates, _reasons(quarantine)):
        found = found.join(counts, on=KEY, how="full", coalesce=True)
    reasons = pl.col("quarantine_reasons").fill_null(pl.lit([], pl.List(REASON)))
    return found.with_columns(pl.col(NUMBERS).fill_null(0), reasons).select(ACCOUNTING.schema.names)


def expected_rows(raw: pl.LazyFrame, verdicts: pl.DataFrame, days: list[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Rows that `events` and `quarantine` must have per day, for their audits."""
    rejected = pl.col("reject_reason").is_not_null()
    landed = raw.group_by("ds").agg(valid=(~rejected).sum(), rejected=rejected.sum()).collect(engine="streaming")
    bots = pl.col("rows").filter(pl.col("verdict") == BOT).sum()
    judged = verdicts.group_by("ds").agg(judged=pl.sum("rows"), bots=bots)
    rows = landed.join(judged, on="ds", how="left").fill_null(0).to_dicts()
    events = {row["ds"]: row["valid"] - row["judged"] for row in rows}
    quarantined = {row["ds"]: row["rejected"] + row["bots"] for row in rows}
    nothing = dict.fromkeys(days, 0)
    return nothing | events, nothing | quarantined


def _count(rows: pl.LazyFrame, name: str) -> pl.DataFrame:
    return rows.group_by(KEY).agg(pl.len().cast(pl.Int64).alias(name)).collect(engine="streaming")


def _reasons(quarantine: pl.LazyFrame) -> pl.DataFrame:
    """Quarantined rows, in all and by reason."""
    by_reason = quarantine.group_by(*KEY, "reason").agg(pl.len().cast(pl.Int64).alias("rows"))
    reasons = pl.struct("reason", "rows").alias("quarantine_reasons")
    counts = by_reason.collect(engine="streaming").sort(*KEY, "reason")
    return counts.group_by(KEY).agg(pl.sum("rows").alias("quarantined"), reasons)
