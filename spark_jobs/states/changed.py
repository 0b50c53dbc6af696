"""Whose histories can have changed since a day was published: a repair makes those again, and copies the others.

A late file of one day touches few users. What `user_history` was made from says which rows it saw of each day of
events; the users whose rows are others now are the ones that it can be wrong about.
"""

from collections.abc import Iterator
from functools import reduce

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.storage.inputs import Pins, planned_files
from pipeline.storage.provenance import Days, Provenance, entries
from pipeline.storage.publications import published_by
from pipeline.storage.recipe import recipe_of
from pipeline.tables.registry import EVENTS, IDENTITIES, USER_HISTORY
from pipeline.tables.schema import Table
from spark_jobs.engine.job import SparkJob
from spark_jobs.engine.persons import with_users
from spark_jobs.states.history import history_rows

MOST = 0.2  # share of users from which on everybody is made again: that takes no longer


def changed_users(job: SparkJob, days: list[str], before: str, persons: pl.DataFrame) -> DataFrame | None:
    """`user_id` of the users whose published histories of `days` can be wrong; None: anybody's can.

    `before`: the day whose histories they go on from; `persons`: the map of all `days`.
    """
    pins, published = job.inputs.pins, job.inputs.pins.days(USER_HISTORY.name)
    made = [entry for ds in days if (entry := _entry(job, ds))]
    if len(made) < len(days):
        return None
    replaced: dict[tuple[str, str], str] = {}  # (table, day) -> digest of the rows that were read; "" where none were
    for entry in made:
        for name, read in entry.inputs.items():
            for ds, digest in _replaced(pins, name, read):
                if name == USER_HISTORY.name and ds in days:
                    continue  # what the job makes now; checked below
                if replaced.setdefault((name, ds), digest) != digest:
                    return None
        own = entry.inputs.get(USER_HISTORY.name)
        if own and any(digest != published[ds].digest for ds, digest in own.days.items() if ds in days):
            return None
    if any(name == IDENTITIES.name or (name == USER_HISTORY.name and ds != before) for name, ds in replaced):
        return None
    found = [_differing(job, name, ds, digest, persons) for (name, ds), digest in sorted(replaced.items())]
    if not found:
        return job.no_rows(USER_HISTORY).select("user_id")
    users = [some for some in found if some is not None]
    if len(users) < len(found):
        return None
    changed = reduce(DataFrame.unionByName, users).distinct().persist()
    return changed if changed.count() <= MOST * max(published[ds].rows for ds in days) else None


def _entry(job: SparkJob, ds: str) -> Provenance | None:
    """What the published histories of a day were made from, by the code and settings of now."""
    published = job.inputs.pins.days(USER_HISTORY.name).get(ds)
    if published is None:
        return None
    entry = entries(job.settings, [USER_HISTORY.name], ds).get((USER_HISTORY.name, ds, published.digest))
    return entry if entry and entry.recipe == recipe_of(job.settings, USER_HISTORY.name) else None


def _replaced(pins: Pins, name: str, read: Days) -> Iterator[tuple[str, str]]:
    """The days of a table that are not what was read, with the digest that was."""
    now = {ds: it.digest for ds, it in pins.days(name).items() if read.covers(ds)}
    for ds in sorted(read.days.keys() | now.keys()):
        if read.days.get(ds) != now.get(ds):
            yield ds, read.days.get(ds, "")


def _differing(job: SparkJob, name: str, ds: str, digest: str, persons: pl.DataFrame) -> DataFrame | None:
    """The users with other rows than those that were read; None when these are not kept any more."""
    table = EVENTS if name == EVENTS.name else USER_HISTORY
    before = _rows_then(job, table, ds, digest)
    if before is None:
        return None
    now = job.read_published(table, ds, ds)
    if table is USER_HISTORY:
        mark = F.xxhash64(*[name for name in USER_HISTORY.schema.names if name != "ds"])
        both = [rows.select("user_id", mark.alias("mark")) for rows in (before, now)]
    else:
        both = [history_rows(with_users(rows, persons)) for rows in (before, now)]
    then, there = both
    return then.exceptAll(there).unionByName(there.exceptAll(then)).select("user_id")


def _rows_then(job: SparkJob, table: Table, ds: str, digest: str) -> DataFrame | None:
    """The rows that a day had; None when no snapshot of them is kept."""
    if not digest:
        return job.no_rows(table)
    iceberg = job.inputs.pins.table(table.name)
    for snapshot in sorted(iceberg.snapshots() if iceberg else (), key=lambda it: -(it.sequence_number or 0)):
        found = published_by(snapshot).get(ds)
        if found and found.digest == digest:
            return job.read_files(table, planned_files(iceberg, ds, ds, snapshot.snapshot_id))
    return None
