"""Bring the catalogue up to date.

    spark-submit spark_jobs/build_catalogue.py --ds 2011-11-09

Reads `items` of the day before, and what `events`, `raw_events` and the catalogue drops of the days since say about
items; where the day before is absent, everything up to `--to`. Writes staged partitions of `items`: of a range, its
last `TIDEMARK_SNAPSHOT_DAYS` days.
"""

from functools import partial

from pyspark.sql import DataFrame

from pipeline.runtime.days import shift
from pipeline.sources.ledger import entry
from pipeline.storage.inputs import LOG_BEGINS
from pipeline.storage.lineage import Lineage
from pipeline.tables.registry import EVENTS, ITEMS, RAW_EVENTS
from spark_jobs.engine.job import SparkJob, run_job
from spark_jobs.landing.catalogue import read_catalogue
from spark_jobs.landing.inspect import Landed, check_unchanged, inspect_catalogues
from spark_jobs.states.items import last_of_day, merge_items, seen_items
from spark_jobs.states.known import known_day, read_known


def main() -> None:
    catalogue_days(SparkJob.from_args(__doc__))


def catalogue_days(job: SparkJob) -> None:
    """Stages `items` of the job's last days."""
    job.require(RAW_EVENTS)
    job.require(EVENTS)
    days = job.snapshot_days
    before = shift(days[0], -1)
    first = days[0] if job.has_day(ITEMS, before) else LOG_BEGINS
    landed = inspect_catalogues(job.settings, job.sources, first, job.last)
    events, raw = (
        read_known(job, table, first, job.last).withColumn("ds", known_day()) for table in (EVENTS, RAW_EVENTS)
    )
    past = job.no_rows(ITEMS)
    if first != LOG_BEGINS:
        Lineage(job.settings, [ITEMS.name]).require_fresh(ITEMS.name, before)
        past = job.read_range(ITEMS, before, before)
    seen = seen_items(events, raw)
    items = merge_items(past, seen, _drops(job, landed), days)
    unchanged = partial(check_unchanged, landed)
    read = [entry(source, file) for source, files in landed for file in files]
    job.stage(ITEMS, items, days, before_complete=unchanged, gather=False, landed=read)


def _drops(job: SparkJob, landed: Landed) -> list[DataFrame]:
    limit = job.settings.max_record_bytes
    return [
        last_of_day(read_catalogue(job.spark, source, source.items, files, limit))
        for source, files in landed
        if source.items and files
    ]


if __name__ == "__main__":
    run_job(main)
