"""What landed files become, counted: the facts that `source check` shows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, MapType, StructType

from pipeline.report.source_check import CUT, ColumnFacts, Rejected, Sessions, SourceCheck
from pipeline.runtime.settings import Settings
from pipeline.sources.landed_file import LandedFile
from pipeline.sources.source import Source
from spark_jobs.events.clean import BOT, DUPLICATE, judge, keep_events
from spark_jobs.events.sessions import sessionize
from spark_jobs.landing.ingest import ingest
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


def facts_of(
    spark: SparkSession, settings: Settings, source: Source, files: list[LandedFile], ds: str, title: str, share: float
) -> SourceCheck:
    """What the files would become if they landed on `ds`; `share` of their bytes are in them."""
    files = [replace(file, ds=ds) for file in files]
    rows = ingest(spark, [(source, files)], settings)
    place = {"data_file": F.lit(""), "data_row": F.monotonically_increasing_id()}
    raw = rows.withColumns(place).persist()
    valid = raw.where("reject_reason IS NULL")
    verdicts = judge(raw, [ds], settings, [source]).persist()
    fates = {row["verdict"]: row["count"] for row in verdicts.groupBy("verdict").count().collect()}
    events = keep_events(raw, verdicts).persist()
    landed = raw.count()
    found = SourceCheck(
        platform=source.platform,
        title=title,
        files=tuple(file.name for file in files),
        records=sum(file.records for file in files),
        rows=landed,
        events=events.count(),
        duplicates=fates.get(DUPLICATE, 0),
        bots=fates.get(BOT, 0),
        share=share,
        own=_own_columns(spark, settings, source, files),
        canonical=_columns(valid, SHOWN),
        rejected=_rejected(raw),
        times=_over_time(events, source),
        sessions=_sessions(events, settings, source),
    )
    for frame in (raw, verdicts, events):
        frame.unpersist()
    return replace(found, warnings=tuple(_warnings(found)))


def _own_columns(
    spark: SparkSession, settings: Settings, source: Source, files: list[LandedFile]
) -> tuple[ColumnFacts, ...]:
    """Of the declared columns; files whose header is another one are counted by the first."""
    frame = read_landing(spark, source.delivery, files, settings.max_record_bytes)[0]
    return _columns(frame, [name for name in frame.columns if name not in ("_landed", "_unknown")])


def _columns(rows: DataFrame, names: Sequence[str]) -> tuple[ColumnFacts, ...]:
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


def _rejected(raw: DataFrame) -> tuple[Rejected, ...]:
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


def _over_time(events: DataFrame, source: Source) -> tuple[tuple[str, str, int], ...]:
    """(local hour or day, event type, events)."""
    local = F.from_utc_timestamp("event_time", source.timezone)
    span = events.agg(F.datediff(F.max(local), F.min(local)).alias("days")).first()
    hourly = span is not None and (span["days"] or 0) <= HOURLY_DAYS
    letters = "yyyy-MM-dd HH:00" if hourly else "yyyy-MM-dd"
    counted = events.groupBy(F.date_format(local, letters).alias("time"), "event_type").count()
    return tuple(
        (row["time"], row["event_type"], row["count"]) for row in counted.orderBy("time", "event_type").collect()
    )


def _sessions(events: DataFrame, settings: Settings, source: Source) -> Sessions:
    gap, longest = timedelta(minutes=settings.session_gap_minutes), timedelta(hours=settings.session_max_hours)
    sessions = sessionize(events, {source.platform: source.timezone}, gap, longest)
    counts = sessions.agg(
        F.count_distinct("account_id").alias("users"),
        F.count("*").alias("sessions"),
        F.coalesce(F.sum("events"), F.lit(0)).alias("events"),
        F.coalesce(F.max("events"), F.lit(0)).alias("longest"),
    ).first()
    assert counts is not None
    return Sessions(counts["users"], counts["sessions"], counts["events"], counts["longest"])


def _warnings(check: SourceCheck) -> list[str]:
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
