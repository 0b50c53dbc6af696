"""Clean raw events.

    spark-submit spark_jobs/clean_events.py --from 2010-12-01 --to 2011-11-06
    spark-submit spark_jobs/clean_events.py --ds 2011-11-07

Reads `raw_events` of [from - dedup_days, to] (of its own days as staged, where the same process ingests them),
writes staged partitions of `events`, `quarantine` and `accounting`. Every raw row becomes an event, a duplicate, or a
quarantined row with a reason.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.sources.landing import accounted
from pipeline.storage.staging import Manifest
from pipeline.tables.registry import ACCOUNTING, EVENTS, QUARANTINE, RAW_EVENTS
from spark_jobs.engine.job import SparkJob, run_job
from spark_jobs.events.account import account, due_days, expected_rows
from spark_jobs.events.clean import judge, keep_events, lookback_days, placed, quarantine


def main() -> None:
    clean_days(SparkJob.from_args(__doc__))


def clean_days(job: SparkJob) -> None:
    """Stages `events`, `quarantine` and `accounting` of the job's days."""
    sources = job.sources
    raw = placed(job.read(RAW_EVENTS, lookback_days=lookback_days(job.settings)))
    own = raw.where(F.col("ds") >= job.first)
    verdicts = judge(raw, job.days, job.settings, sources).persist()
    event_rows, quarantine_rows = expected_rows(own, verdicts, job.days)
    kept = job.stage(EVENTS, keep_events(own, verdicts), facts={"rows": event_rows})
    bad = job.stage(QUARANTINE, quarantine(own, verdicts), facts={"rows": quarantine_rows})
    due = [(ds, s.platform) for s in sources for ds in job.days if accounted(job.settings, s, ds)]
    counts = account(own, read_back(job, kept), read_back(job, bad), verdicts, due_days(job.spark, due))
    job.stage(ACCOUNTING, counts)


def read_back(job: SparkJob, manifest: Manifest) -> DataFrame:
    """The rows that were staged, as they are in the files."""
    files = [path for paths in manifest.days.values() for path in paths]
    schema = "ds string, platform string, reason string"
    if not files:
        return job.spark.createDataFrame([], schema)
    return job.spark.read.schema(schema).parquet(*files)


if __name__ == "__main__":
    run_job(main)
