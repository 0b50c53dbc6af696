"""The landed records of users, found the way ingest reads them."""

from collections.abc import Iterator, Sequence

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from pipeline.runtime.settings import Settings
from pipeline.sources.landed_file import inspect
from pipeline.sources.landing import active_sources, drop_glob
from pipeline.sources.source import Source
from pipeline.storage.suppression import ERASED
from spark_jobs.landing.nested import map_records
from spark_jobs.landing.pseudonymise import pseudonymise
from spark_jobs.landing.read import read_landing


def find_landed(
    spark: SparkSession, settings: Settings, users: list[str], names: set[str], addresses: Sequence[str] = ()
) -> Iterator[dict[str, object]]:
    """File, line, platform and raw id of each record of those accounts, which are among `users`, in those files.

    And of those whose `<platform>:<raw id>` is among `addresses` in lower case. `shared`: with rows of others, too.
    """
    for source in active_sources(settings):
        for rows in _records(spark, settings, source, names):
            for found in _of_users(settings, rows, users, addresses, bool(source.delivery.rows)).collect():
                yield found.asDict()


def _records(spark: SparkSession, settings: Settings, source: Source, names: set[str]) -> list[DataFrame]:
    """The mapped records of the source's files among `names`."""
    paths = settings.landing.glob(drop_glob(source.delivery))
    files = [
        inspect(path, name, "", source.delivery, allow_empty=True)
        for path in sorted(paths)
        if (name := path.relative_to(settings.landing).as_posix()) in names
    ]
    if not files:
        return []
    landed = read_landing(spark, source.delivery, files, settings.max_record_bytes)
    return [map_records(rows, source) for rows in landed]


def _of_users(
    settings: Settings, rows: DataFrame, users: list[str], addresses: Sequence[str], nested: bool
) -> DataFrame:
    identified = rows.where("user_id IS NOT NULL").select(
        "platform",
        F.col("source_file").alias("file"),
        F.col("evidence.line").alias("line"),
        F.col("user_id").alias("raw_id"),
        "user_id",
    )
    named = pseudonymise(identified, settings.home)
    # Nothing new may remain of persons erased earlier either.
    theirs = F.col("account_id").isin(*users, ERASED)
    if addresses:
        theirs |= F.lower(F.concat("platform", F.lit(":"), "raw_id")).isin(*addresses)
    others = F.max(~theirs).over(Window.partitionBy("file", "line")) if nested else F.lit(False)
    return named.withColumn("shared", others).where(theirs).drop("account_id").distinct()
