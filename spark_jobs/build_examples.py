"""Build training examples.

    spark-submit spark_jobs/build_examples.py --ds 2011-11-09

Reads `events`, writes one staged partition of `training_examples`: users as known at cut-offs of up to 126 days ago,
with what they did in the 28 days after. Accounts are joined to persons as of the day. Of a range, the last day only.
"""

from pipeline.runtime.days import shift
from pipeline.runtime.errors import NotPublishedError
from pipeline.storage.reading import published
from pipeline.tables.registry import EVENTS, TRAINING_EXAMPLES
from spark_jobs.engine.job import SparkJob, run_job
from spark_jobs.engine.persons import joined_accounts, with_users
from spark_jobs.engine.session import expect_wide_rows
from spark_jobs.states.examples import choose_cutoffs, make_examples
from spark_jobs.states.known import read_known


def main() -> None:
    job = SparkJob.from_args(__doc__)
    expect_wide_rows(job.spark)
    settings, ds = job.settings, job.last
    logged = list(published(EVENTS.name, settings))
    if ds not in logged:
        raise NotPublishedError(f"events ds={ds}: not published; run the steps that write it first")
    cutoffs = choose_cutoffs(logged[0], ds)
    oldest = min(cutoff.ds for cutoff in cutoffs)
    events = read_known(job, EVENTS, shift(oldest, 1 - settings.active_days), ds)
    events = with_users(events, joined_accounts(job, ds))  # who is one person today was so all along
    rows = make_examples(events, ds, cutoffs, settings.active_days, settings.history_events)
    job.stage(TRAINING_EXAMPLES, rows, [ds])


if __name__ == "__main__":
    run_job(main)
