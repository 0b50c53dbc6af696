"""Clean raw events.

    spark-submit spark_jobs/clean_events.py --from 2010-12-01 --to 2011-11-06
    spark-submit spark_jobs/clean_events.py --ds 2011-11-07

Reads `raw_events` of [from - dedup_days, to] (of its own days as staged, where the same process ingests them),
writes staged partitions of `events`, `quarantine` and `accounting`. Every raw row becomes an event, a duplicate, or a
quarantined row with a reason.
"""

from pyspark.sql import functions as F

from pipeline.sources.landing import accounted
from pipeline.tables.registry import ACCOUNTING, EVENTS, QUARANTINE, RAW_EVENTS
from spark_jobs.engine.job import SparkJob, run_job
from spark_jobs.events.account import KEY, account, count_verdicts, expected_rows
from spark_jobs.events.clean import judge, keep_events, lookback_days, placed, quarantine


def main() -> None:
    clean_days(SparkJob.from_args(__doc__))


def clean_days(job: SparkJob) -> None:
    """Stages `events`, `quarantine` and `accounting` of the job's days."""
    sources = job.sources
    raw = placed(job.read(RAW_EVENTS, lookback_days=lookback_days(job.settings)))
    own = raw.where(F.col("ds") >= job.first)
    verdicts = judge(raw, job.days, job.settings, sources).persist()
    judged, landed = count_verdicts(verdicts), job.read_own(RAW_EVENTS, [*KEY, "reject_reason"])
    event_rows, quarantine_rows = expected_rows(landed, judged, job.days)
    job.stage(EVENTS, keep_events(own, verdicts), facts={"rows": event_rows})
    job.stage(QUARANTINE, quarantine(own, verdicts), facts={"rows": quarantine_rows})
    due = [(ds, s.platform) for s in sources for ds in job.days if accounted(job.settings, s, ds)]
    events, bad = job.read_own(EVENTS, KEY), job.read_own(QUARANTINE, [*KEY, "reason"])
    job.stage_small(ACCOUNTING, account(landed, events, bad, judged, due).partition_by("ds"))


if __name__ == "__main__":
    run_job(main)
