"""Profile users: interests, drift, trajectories and signals of behaviour.

    spark-submit spark_jobs/profile_users.py --ds 2011-11-09

Reads `user_history`, `items`, `item_topics` and `review_sentiments` of the day, writes staged partitions of
`user_interests`, `migrations`, `migration_patterns` and `user_signals`. Of a range, the last day only.
"""

from pipeline.runtime.errors import NotPublishedError
from pipeline.tables.interests import (
    ITEM_TOPICS,
    MIGRATION_PATTERNS,
    MIGRATIONS,
    REVIEW_SENTIMENTS,
    USER_INTERESTS,
    USER_SIGNALS,
)
from pipeline.tables.registry import ITEMS, USER_HISTORY
from spark_jobs.behaviour.signals import signals
from spark_jobs.engine.job import SparkJob, run_job
from spark_jobs.engine.session import expect_wide_rows
from spark_jobs.interests.migrations import migration_patterns, migrations
from spark_jobs.interests.profile import user_interests


def main() -> None:
    job = SparkJob.from_args(__doc__)
    expect_wide_rows(job.spark)
    ds = job.last
    for table in (USER_HISTORY, ITEMS, ITEM_TOPICS, REVIEW_SENTIMENTS):
        if not job.has_day(table, ds):
            raise NotPublishedError(f"{table.name} ds={ds}: not published; run the steps that write it first")
    histories = job.read_range(USER_HISTORY, ds, ds)
    item_topics = job.read_range(ITEM_TOPICS, ds, ds).select("item_id", "topic_id").toArrow()
    job.stage(USER_INTERESTS, user_interests(histories, item_topics, ds), [ds])
    interests = job.read_staged(USER_INTERESTS, ds)
    job.stage(MIGRATIONS, migrations(interests, ds), [ds])
    job.stage(MIGRATION_PATTERNS, migration_patterns(interests, ds), [ds])
    items, sentiments = (job.read_range(table, ds, ds) for table in (ITEMS, REVIEW_SENTIMENTS))
    job.stage(USER_SIGNALS, signals(histories, items, item_topics, sentiments, ds), [ds])


if __name__ == "__main__":
    run_job(main)
