"""Accumulate user histories.

    spark-submit spark_jobs/accumulate_history.py --ds 2011-11-09

Reads `user_history` of the day before and the day's `events`, or, where that day is absent, the `events` of the whole
window. Writes staged partitions of `user_history`: of a range, its last `TIDEMARK_SNAPSHOT_DAYS` days.
"""

from pipeline.runtime.days import shift
from pipeline.storage.lineage import Lineage
from pipeline.tables.registry import EVENTS, USER_HISTORY
from spark_jobs.engine.job import SparkJob, run_job
from spark_jobs.states.history import accumulate


def main() -> None:
    accumulate_days(SparkJob.from_args(__doc__))


def accumulate_days(job: SparkJob) -> None:
    """Stages `user_history` of the job's last days."""
    settings = job.settings
    job.require(EVENTS)
    days = job.snapshot_days
    before = shift(days[0], -1)
    incremental = job.has_day(USER_HISTORY, before)
    if incremental:
        Lineage(settings, [USER_HISTORY.name]).require_fresh(USER_HISTORY.name, before)
        past, first = job.read_range(USER_HISTORY, before, before), days[0]
    else:
        past, first = job.no_rows(USER_HISTORY), shift(days[0], 1 - settings.active_days)
    events = job.read_range(EVENTS, first, job.last)
    histories = accumulate(past, events, days, settings.active_days, settings.history_events)
    job.stage(USER_HISTORY, histories, days, gather=False)


if __name__ == "__main__":
    run_job(main)
