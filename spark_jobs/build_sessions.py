"""Sessionize clean events.

    spark-submit spark_jobs/build_sessions.py --from 2011-11-07 --to 2011-11-09

Reads `events` of [from - 3 days, to], writes staged partitions of `sessions`. A session closes after 30 min of silence
or 24 h and belongs to the day on which it closes.
"""

from datetime import timedelta

from pyspark.sql import functions as F

from pipeline.tables.registry import EVENTS, SESSIONS
from spark_jobs.engine.job import SparkJob, run_job
from spark_jobs.events.sessions import LOOKBACK_DAYS, sessionize


def main() -> None:
    sessionize_days(SparkJob.from_args(__doc__))


def sessionize_days(job: SparkJob) -> None:
    """Stages `sessions` of the job's days."""
    zones = {source.platform: source.timezone for source in job.sources}
    gap = timedelta(minutes=job.settings.session_gap_minutes)
    longest = timedelta(hours=job.settings.session_max_hours)
    events = job.read(EVENTS, lookback_days=LOOKBACK_DAYS)
    sessions = sessionize(events, zones, gap, longest)
    job.stage(SESSIONS, sessions.where(F.col("ds").between(job.first, job.last)))


if __name__ == "__main__":
    run_job(main)
