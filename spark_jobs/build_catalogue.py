"""Bring the catalogue up to date.

    spark-submit spark_jobs/build_catalogue.py --ds 2011-11-09

Reads `items` of the day before, and what `events`, `raw_events` and the catalogue drops of the days
since tell about items; where the day before is absent, everything up to `--to`. Writes staged
partitions of `items`: of a range, its last `TIDEMARK_SNAPSHOT_DAYS` days.
"""

from pyspark.sql import DataFrame

from pipeline.days import shift
from pipeline.landing import active_sources, drop_days, drop_files
from pipeline.source_file import Source
from pipeline.tables import EVENTS, ITEMS, RAW_EVENTS
from spark_jobs.job import SparkJob, run_job
from spark_jobs.transforms.merge_items import last_of_day, merge_items, seen_items
from spark_jobs.transforms.read_catalogue import read_catalogue

LOG_BEGINS = "0001-01-01"


def main() -> None:
    job = SparkJob.from_args(__doc__)
    job.require(RAW_EVENTS)
    job.require(EVENTS)
    days = job.snapshot_days
    before = shift(days[0], -1)
    first = days[0] if job.has_day(ITEMS, before) else LOG_BEGINS
    events, raw = (job.read_range(table, first, job.last) for table in (EVENTS, RAW_EVENTS))
    drops = [drop for source in active_sources(job.settings) for drop in _drop(job, source, first)]
    past = job.read_range(ITEMS, before, before)
    job.stage(ITEMS, merge_items(past, seen_items(events, raw), drops, days), days)


def _drop(job: SparkJob, source: Source, first: str) -> list[DataFrame]:
    """What the source's catalogue files of [first, last day] tell; nothing when there are none."""
    if source.items is None:
        return []
    days = [ds for ds in drop_days(job.settings, source.items) if first <= ds <= job.last]
    files = {str(path): ds for ds in days for path in drop_files(job.settings, source.items, ds)}
    if not files:
        return []
    return [last_of_day(read_catalogue(job.spark, source.platform, source.items, files))]


if __name__ == "__main__":
    run_job(main)
