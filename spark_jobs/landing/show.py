"""What landed files and their rows hold, counted for `source check`."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, MapType, StructType

from pipeline.report.source_check import CUT, ColumnFacts, Rejected, SourceCheck
from pipeline.runtime.settings import Settings
from pipeline.sources.landed_file import LandedFile
from pipeline.sources.source import LANDED, UNKNOWN_FIELDS, Source
from spark_jobs.landing.read import read_landing

SHOWN = (
    *(
        "account_id",
        "item_id",
        "event_type",
        "event_time",
        "quantity",
        "price",
        "query",
        "text",
        "rating",
        "campaign_id",
    ),
    *("propensity", "attributes", "item_title", "item_category", "item_brand", "item_image_path"),
)
EXAMPLES = 3  # rejected rows shown for each reason
HOURLY_DAYS = 2  # events of more days than this are counted by day


def own_columns(
    spark: SparkSession, settings: Settings, source: Source, files: list[LandedFile]
) -> tuple[ColumnFacts, ...]:
    """Of the declared columns; files whose header is another one are counted by the first."""
    frame = read_landing(spark, source.delivery, files, settings.max_record_bytes)[0]
    return columns(frame, [name for name in frame.columns if name not in (LANDED, UNKNOWN_FIELDS)])


def columns(rows: DataFrame, names: Sequence[str]) -> tuple[ColumnFacts, ...]:
    """Each column in one pass. The examples are the first value, the least and the greatest."""
    asked = [F.count("*").alias("rows")]
    for place, name in enumerate(names):
        text = _as_text(rows, name)
        shown = F.substring(text, 1, CUT + 1)
        asked += [
            F.count(text).alias(f"filled_{place}"),
            F.approx_count_distinct(text, 0.02).alias(f"distinct_{place}"),
            F.array_compact(F.array(F.first(shown, True), F.min(shown), F.max(shown))).alias(f"examples_{place}"),
        ]
    counts = rows.agg(*asked).first()
    assert counts is not None
    return tuple(
        ColumnFacts(
            name,
            counts[f"filled_{place}"] / max(counts["rows"], 1),
            counts[f"distinct_{place}"],
            tuple(dict.fromkeys(counts[f"examples_{place}"])),
        )
        for place, name in enumerate(names)
    )


def _as_text(rows: DataFrame, name: str) -> Column:
    """A value as text; null where nothing is there."""
    column = F.col(f"`{name}`")
    nested = isinstance(rows.schema[name].dataType, ArrayType | MapType | StructType)
    return F.nullif(F.to_json(column) if nested else column.cast("string"), F.lit(""))


def rejected(raw: DataFrame) -> tuple[Rejected, ...]:
    """Reason, rows, and the first few of them with file and line."""
    rejected = raw.where("reject_reason IS NOT NULL")
    line = F.get_json_object("record", "$.line").cast("long").alias("line")
    example = F.struct("source_file", line, F.substring("record", 1, 4 * CUT).alias("record"))
    examples = F.slice(F.array_sort(F.collect_list(example)), 1, EXAMPLES)
    by_reason = rejected.groupBy("reject_reason").agg(F.count("*").alias("rows"), examples.alias("examples"))
    return tuple(
        Rejected(
            row["reject_reason"],
            row["rows"],
            tuple((it["source_file"], str(it["line"] or ""), it["record"] or "") for it in row["examples"]),
        )
        for row in by_reason.orderBy(F.desc("rows"), "reject_reason").collect()
    )


def over_time(events: DataFrame, source: Source) -> tuple[tuple[str, str, int], ...]:
    """(local hour or day, event type, events)."""
    local = F.from_utc_timestamp("event_time", source.timezone)
    span = events.agg(F.datediff(F.max(local), F.min(local)).alias("days")).first()
    hourly = span is not None and (span["days"] or 0) <= HOURLY_DAYS
    letters = "yyyy-MM-dd HH:00" if hourly else "yyyy-MM-dd"
    counted = events.groupBy(F.date_format(local, letters).alias("time"), "event_type").count()
    return tuple(
        (row["time"], row["event_type"], row["count"]) for row in counted.orderBy("time", "event_type").collect()
    )


def warnings(check: SourceCheck) -> list[str]:
    """What someone who looks at the tables should not overlook."""
    found = []
    if check.rows and not check.events:
        found.append("no row becomes an event")
    elif check.quarantined > 0.2 * check.rows:
        found.append(f"{check.quarantined / check.rows:.0%} of the rows go to quarantine")
    if check.duplicates > 0.1 * check.rows:
        found.append(f"{check.duplicates / check.rows:.0%} of the rows are duplicates of others")
    filled = {it.name: it.filled for it in check.own}
    found += [f"the column {name} is empty on every row" for name, share in filled.items() if share == 0]
    return found
