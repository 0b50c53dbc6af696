"""Accumulate user histories.

    spark-submit spark_jobs/accumulate_history.py --ds 2011-11-09

Reads `user_history` of the day before and the `events` known since, or, where that day is absent, the `events` of the
whole window. Accounts are joined to persons by `identities` as of each day: persons whose accounts part are made again
from the window's events. Where the days are published already, only users whose events have changed since are made
again. Writes staged partitions of `user_history`: of a range, its last `TIDEMARK_SNAPSHOT_DAYS` days.
"""

from functools import reduce

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.runtime.days import shift
from pipeline.storage.lineage import Lineage
from pipeline.tables.registry import EVENTS, USER_HISTORY
from spark_jobs.engine.job import SparkJob, run_job
from spark_jobs.engine.kernels import Made
from spark_jobs.engine.persons import joined_accounts, local_rows, with_users
from spark_jobs.engine.session import expect_wide_rows
from spark_jobs.states.changed import changed_users
from spark_jobs.states.history import accumulate
from spark_jobs.states.known import read_known
from spark_jobs.states.moves import Moves, moves


def main() -> None:
    accumulate_days(SparkJob.from_args(__doc__))


def accumulate_days(job: SparkJob) -> None:
    """Stages `user_history` of the job's last days."""
    expect_wide_rows(job.spark)
    job.require(EVENTS)
    days = job.snapshot_days
    before = shift(days[0], -1)
    past, known = None, None
    if job.has_day(USER_HISTORY, before):
        Lineage(job.settings, [USER_HISTORY.name]).require_fresh(USER_HISTORY.name, before)
        past, known = job.read_range(USER_HISTORY, before, before), joined_accounts(job, before)
    runs = _runs(job, days)
    changed = changed_users(job, days, before, runs[0][1]) if len(runs) == 1 else None
    found: list[Made] = []
    for some, persons in runs:
        changes = moves(known, persons) if known is not None else None
        found.append(_histories(job, some, past, persons, changes, changed))
        past, known = found[-1].frame().where(F.col("ds") == some[-1]), persons
    if len(found) == 1 and changed is None:
        job.stage(USER_HISTORY, found[0], days, gather=False)
        return
    parts = [made.frame() for made in found]
    if changed is not None:
        kept = job.read_published(USER_HISTORY, days[0], days[-1])
        parts.append(kept.join(F.broadcast(changed), "user_id", "left_anti").select(*parts[0].columns))
        print(f"user_history: {changed.count()} users are made again, the others copied")
    job.stage(USER_HISTORY, reduce(DataFrame.unionByName, parts), days, gather=False)


def _runs(job: SparkJob, days: list[str]) -> list[tuple[list[str], pl.DataFrame]]:
    """The days in runs of one map each, with that map."""
    runs: list[tuple[list[str], pl.DataFrame]] = []
    for ds in days:
        persons = joined_accounts(job, ds)
        if runs and runs[-1][1].equals(persons):
            runs[-1][0].append(ds)
        else:
            runs.append(([ds], persons))
    return runs


def _histories(
    job: SparkJob,
    days: list[str],
    past: DataFrame | None,
    persons: pl.DataFrame,
    changes: Moves | None,
    only: DataFrame | None,
) -> Made:
    """`user_history` of days with one map, on from the histories of the day before them, where there are some.

    `only`: the users (`user_id`) that are made; by default all.
    """
    window = shift(days[0], 1 - job.settings.active_days)
    events = with_users(read_known(job, EVENTS, window if past is None else days[0], days[-1]), persons)
    past = job.no_rows(USER_HISTORY) if past is None else past
    if changes is not None and not changes.none:
        past = _moved(past, changes)
    if changes is not None and not changes.rebuilt.is_empty():
        rebuilt, accounts = (local_rows(job.spark, frame) for frame in (changes.rebuilt, changes.accounts))
        theirs = read_known(job, EVENTS, window, days[-1]).join(accounts, "account_id", "left_semi")
        events = events.join(rebuilt, "user_id", "left_anti").unionByName(with_users(theirs, persons))
    if only is not None:
        past, events = (rows.join(F.broadcast(only), "user_id", "left_semi") for rows in (past, events))
    return accumulate(past, events, days, job.settings.active_days, job.settings.history_events)


def _moved(past: DataFrame, changes: Moves) -> DataFrame:
    """The histories of before under the names of now, without those that are made again."""
    dropped, renamed = (local_rows(past.sparkSession, frame) for frame in (changes.dropped, changes.renamed))
    kept = past.join(dropped, "user_id", "left_anti")
    named = kept.join(renamed, "user_id", "left").withColumn("user_id", F.coalesce("person", "user_id"))
    return named.select(*past.columns)


if __name__ == "__main__":
    run_job(main)
