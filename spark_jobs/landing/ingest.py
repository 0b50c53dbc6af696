"""Landed records of all sources → rows of `raw_events`."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.runtime.settings import Settings
from pipeline.sources.landed_file import LandedFile
from pipeline.sources.source import Source
from pipeline.sources.user_key import load_user_key
from pipeline.storage.suppression import suppressed
from pipeline.tables.registry import RAW_EVENTS
from spark_jobs.engine.kernels import Made
from spark_jobs.landing.identities import erased_by_map
from spark_jobs.landing.nested import map_records
from spark_jobs.landing.pseudonymise import CONTENT, Accounts, event_content, raw_rows
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
    load_user_key(settings.home)  # made once here, not by racing workers
    rows = reduce(DataFrame.unionByName, frames)
    content = F.when(F.col("reject_reason").isNull(), event_content())
    return Made(rows.withColumn(CONTENT, content), _Named(settings.home, erased_by_map(settings)), RAW_EVENTS.schema)


@dataclass(frozen=True)
class _Named:
    """Names the accounts and events of batches. The key is loaded in the worker: it is never part of a plan."""

    home: Path
    theirs: frozenset[str]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        accounts = Accounts(load_user_key(self.home), suppressed(self.home), self.theirs)
        for batch in batches:
            yield raw_rows(batch, accounts)


def _no_rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return iter(())
