"""Landed records of all sources → rows of `raw_events`."""

from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from pipeline.runtime.settings import Settings
from pipeline.sources.landed_file import LandedFile
from pipeline.sources.source import Source
from pipeline.sources.user_key import load_user_key
from pipeline.tables.registry import RAW_EVENTS
from spark_jobs.landing.identities import erased_by_map
from spark_jobs.landing.nested import map_records
from spark_jobs.landing.pseudonymise import forget_erased, name_events, pseudonymise
from spark_jobs.landing.read import read_landing
from spark_jobs.landing.reject_rows import reject_rows


def ingest(spark: SparkSession, landed: list[tuple[Source, list[LandedFile]]], settings: Settings) -> DataFrame:
    """One row per landed record, of all sources and days."""
    frames = [
        reject_rows(map_records(rows, source), source.timezone, source.max_late_days, settings.max_price)
        for source, files in landed
        if files
        for rows in read_landing(spark, source.delivery, files, settings.max_record_bytes)
    ]
    if not frames:
        return spark.createDataFrame([], from_arrow_schema(RAW_EVENTS.schema))
    load_user_key(settings.home)  # made once here, not by racing workers
    rows = pseudonymise(reduce(DataFrame.unionByName, frames), settings.home, erased_by_map(settings))
    named = name_events(forget_erased(rows)).withColumn("arrival_ds", F.col("ds"))
    return named.select(*RAW_EVENTS.schema.names)
