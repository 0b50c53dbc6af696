"""Rows of a source → canonical columns, by the Spark SQL of the source file."""

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StringType, TimestampNTZType, TimestampType

from pipeline.runtime.errors import SourceError
from pipeline.sources.source import ITEM_COLUMNS, Source

UNKNOWN = "unknown."  # begins the names of attributes that the source does not declare
TYPES = {
    "user_id": "string",
    "item_id": "string",
    "event_type": "string",
    "event_time": "timestamp",
    "quantity": "double",
    "price": "double",
    "query": "string",
    "text": "string",
    "rating": "double",
    "campaign_id": "string",
    "propensity": "double",
    "attributes": "map<string,string>",
    **dict.fromkeys(ITEM_COLUMNS, "string"),
}


def event_time(rows: DataFrame, source: Source) -> Column:
    """When the event of a row of the source happened. Raises SourceError like `map_source`."""
    kind = checked_type(rows, source, "event.event_time", source.event["event_time"])
    return _canonical(source, "event_time", kind)


def map_source(rows: DataFrame, source: Source) -> DataFrame:
    """One row per row: its place, the canonical columns (raw ids), and `problem`.

    `problem` is why the row could not be read, else the first [reject] condition that holds. Raises SourceError naming
    the key, the SQL and Spark's reason when one cannot be evaluated.
    """
    types = {key: checked_type(rows, source, f"event.{key}", sql) for key, sql in source.event.items()}
    for reason, sql in source.reject.items():
        checked_type(rows, source, f"reject.{reason}", sql)
    return rows.select(
        F.lit(source.platform).alias("platform"),
        F.col("_landed.ds").alias("ds"),
        F.col("_landed.source_file").alias("source_file"),
        F.struct("_landed.line", "_landed.sha256").alias("evidence"),
        F.coalesce("_landed.problem", *_rejections(source)).alias("problem"),
        *[_canonical(source, name, types.get(name)).alias(name) for name in TYPES],
    )


def checked_type(rows: DataFrame, source: Source, key: str, sql: str) -> DataType:
    """The type of an expression. Raises SourceError when it cannot be evaluated on the rows."""
    try:
        kind = rows.select(F.expr(sql)).schema[0].dataType
    except (AnalysisException, ParseException) as error:
        reason = " ".join(str(error).split(" SQLSTATE")[0].split())
        raise SourceError(f"{source.file}: {key} = {sql.strip()!r}: {reason}; correct it") from None
    if key == "event.event_time" and not isinstance(kind, TimestampType | TimestampNTZType):
        raise SourceError(
            f"{source.file}: {key} = {sql.strip()!r}: expected TIMESTAMP (an instant) or "
            f"TIMESTAMP_NTZ (local time), found {kind.simpleString().upper()}; use to_timestamp "
            "or to_timestamp_ntz"
        )
    return kind


def _rejections(source: Source) -> list[Column]:
    return [F.when(F.expr(sql), reason) for reason, sql in source.reject.items()]


def _canonical(source: Source, name: str, kind: DataType | None) -> Column:
    """A canonical column in its type; null where the source has no expression for it."""
    value = F.expr(source.event[name]) if name in source.event else F.lit(None)
    if name == "attributes":
        return _with_unknown(value.cast(TYPES[name]))
    if isinstance(kind, TimestampNTZType):
        # The session's zone is UTC: the cast keeps the clock's reading, the shift makes it UTC.
        return F.to_utc_timestamp(value.cast("timestamp"), source.timezone)
    if isinstance(kind, StringType) or TYPES[name] == "string":
        value = F.nullif(value.cast("string"), F.lit(""))
    if name == "item_id":
        value = F.concat(F.lit(f"{source.platform}:"), value)
    return value.cast(TYPES[name])


def _with_unknown(attributes: Column) -> Column:
    """Attributes and, as `unknown.<name>`, the fields that the source does not declare."""
    unknown = F.transform_keys("_unknown", lambda name, _: F.concat(F.lit(UNKNOWN), name))
    nothing = F.create_map().cast(TYPES["attributes"])
    both = F.map_concat(F.coalesce(attributes, nothing), F.coalesce(unknown, nothing))
    return F.when(F.size(both) > 0, both)
