"""Landed records of all sources → rows of `raw_events`."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.runtime.settings import Settings
from pipeline.sources.landed_file import LandedFile
from pipeline.sources.source import Source
from pipeline.tables.registry import RAW_EVENTS
from spark_jobs.engine.kernels import Made
from spark_jobs.landing.identities import erased_by_map
from spark_jobs.landing.nested import map_records
from spark_jobs.landing.pseudonymise import CONTENT, Naming, event_content, raw_rows
from spark_jobs.landing.read import read_landing
from spark_jobs.landing.reject_rows import reject_rows


def ingest(spark: SparkSession, landed: list[tuple[Source, list[LandedFile]]], settings: Settings) -> Made:
    """One row per landed record, of all sources and days."""
    frames = [
        reject_rows(map_records(rows, source), source.timezone, source.max_late_days, settings.max_price)
        for source, files in landed
        if files
        for rows in read_landing(spark, source.delivery, files, settings.max_record_bytes)
    ]
    if not frames:
        return Made(spark.createDataFrame([], "nothing int"), _no_rows, RAW_EVENTS.schema)
    rows = reduce(DataFrame.unionByName, frames)
    content = F.when(F.col("reject_reason").isNull(), event_content())
    naming = Naming.of(settings.home, erased_by_map(settings))
    return Made(rows.withColumn(CONTENT, content), _Named(naming), RAW_EVENTS.schema)


@dataclass(frozen=True)
class _Named:
    """Names the accounts and events of batches."""

    naming: Naming

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        accounts = self.naming.accounts()
        for batch in batches:
            yield raw_rows(batch, accounts)


def _no_rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return iter(())
