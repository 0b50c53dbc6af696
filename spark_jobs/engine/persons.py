"""Who an account is, for Spark: rows of `events` or `raw_events` get the `user_id` of their person.

`identities` is read through the job, so that what is made with it records the snapshot. The map is read to the driver:
it holds two texts per account that is joined, and most accounts are not.
"""

import polars as pl
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.storage.inputs import LOG_BEGINS
from pipeline.storage.persons import VERSIONS, joined_as_of
from pipeline.tables.registry import IDENTITIES
from spark_jobs.engine.job import SparkJob

FEW = 1_000_000  # rows that every task may hold at once


def joined_accounts(job: SparkJob, ds: str) -> pl.DataFrame:
    """`account_id` and `user_id` of the accounts that are a person's at the end of `ds`: see `Persons`."""
    newest = max((day for day in job.inputs.pins.days(IDENTITIES.name) if day <= ds), default=LOG_BEGINS)
    versions = job.read_small(IDENTITIES, newest, ds, VERSIONS)  # a day published between them would count
    return joined_as_of(versions, ds)


def with_users(rows: DataFrame, joined: pl.DataFrame) -> DataFrame:
    """The rows with `user_id` added: the person of each account, else the account itself."""
    if joined.is_empty():
        return rows.withColumn("user_id", F.col("account_id"))
    found = rows.join(local_rows(rows.sparkSession, joined), "account_id", "left")
    return found.withColumn("user_id", F.coalesce("user_id", "account_id")).select(*rows.columns, "user_id")


def local_rows(spark: SparkSession, rows: pl.DataFrame) -> DataFrame:
    """Columns of texts as a DataFrame to join with, broadcast where it is small."""
    schema = ", ".join(f"{name} string" for name in rows.columns)
    frame = spark.createDataFrame(rows.to_arrow(compat_level=pl.CompatLevel.oldest()), schema)
    return F.broadcast(frame) if len(rows) <= FEW else frame
