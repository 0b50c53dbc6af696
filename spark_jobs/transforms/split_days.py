"""Records of a history file → the landing day of each."""

from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.runtime.errors import LandingError
from pipeline.sources.landed_file import LandedFile
from pipeline.sources.source import Source
from spark_jobs.landing.map_source import event_time
from spark_jobs.landing.read import read_landing

DAY = "_ds"


def split_days(
    spark: SparkSession, source: Source, files: list[LandedFile], max_record_bytes: int
) -> DataFrame:
    """The files' records as they are (`text`, or Parquet's columns) with their local day as `_ds`.

    A record without a time lands on the first day and one beyond the delivery's bounds on the
    nearest: there it is quarantined with a reason, instead of lost here.
    Raises LandingError for lines that hold no text, which could not be written again.
    """
    frames = read_landing(spark, source.delivery, files, max_record_bytes)
    rows = reduce(DataFrame.unionByName, [_timed(frame, source) for frame in frames]).persist()
    if source.delivery.format != "parquet":
        _check_readable(rows)
    bounds = rows.agg(F.min(DAY), F.max(DAY)).first()
    first = source.delivery.first_day or (bounds and bounds[0])
    last = source.delivery.last_day or (bounds and bounds[1])
    if first is None:
        raise LandingError(
            f"{files[0].name}: no record has an event_time; see `source check {source.file}`"
        )
    day = F.least(F.greatest(F.coalesce(DAY, F.lit(first)), F.lit(first)), F.lit(last))
    ordered = rows.withColumn(DAY, day).repartition(DAY)
    kept = ordered.sortWithinPartitions(DAY, "_landed.source_file", "_landed.line")
    if source.delivery.format == "parquet":
        return kept.drop("_landed", "_unknown")
    return kept.select(DAY, "_landed.text")


def _timed(rows: DataFrame, source: Source) -> DataFrame:
    """Rows of the source with their local day, null where there is no time."""
    local = F.from_utc_timestamp(event_time(rows, source), source.timezone)
    return rows.withColumn(DAY, F.to_date(local).cast("string"))


def _check_readable(rows: DataFrame) -> None:
    unreadable = rows.where("_landed.text IS NULL")
    first = unreadable.select("_landed.*").orderBy("source_file", "line").first()
    if first is not None:
        raise LandingError(
            f"{first.source_file}: line {first.line} cannot be imported ({first.problem}), nor can "
            f"{unreadable.count() - 1} others; correct the file"
        )
