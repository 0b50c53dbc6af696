"""Published days without a person, each published again by one transaction per table.

The log's accounts still add up: a row of `raw_events` stays as an `erased` row without content; `quarantine` and
`accounting` follow from there. What an ingest and a clean of the same day would publish now is the same, row for row.
"""

import time
import uuid
from collections.abc import Callable, Set
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.erasure.data_files import holding, rewritten, same_file, table_files, without_rows
from pipeline.erasure.masks import mentioning
from pipeline.erasure.names import Names
from pipeline.runtime.settings import Settings
from pipeline.storage import provenance, staging
from pipeline.storage.audit.staged_rows import staged_rows
from pipeline.storage.catalog import file_schema, own_table
from pipeline.storage.declared import copied, duckdb_sql, row_groups
from pipeline.storage.publications import Publication
from pipeline.storage.publish import commit
from pipeline.storage.reading import published
from pipeline.storage.staging import Attempt, Manifest
from pipeline.storage.suppression import ERASED
from pipeline.tables.registry import RAW_EVENTS
from pipeline.tables.schema import Table

STAYS = ("ds", "platform", "source_file", "arrival_ds")  # of an erased row of raw_events
Days = dict[str, list[str]]  # ds -> data files


@dataclass(frozen=True)
class Erasing:
    """One erasure in progress: whose rows, under which run, and the names to mask in the rows of others."""

    settings: Settings
    users: frozenset[str]
    run: str
    names: Names = field(default_factory=lambda: Names(()))
    seen: dict[str, bool] = field(default_factory=dict, compare=False)  # data files, which never change

    def attempt(self, table: Table) -> Attempt:
        return staging.begin(self.settings, table.name, f"{self.run}-{time.time_ns():x}")

    def files(self, table: Table) -> tuple[dict[str, int], set[str]]:
        """The table's data files with rows of the users, and how many; and those in which others name them."""
        every = table_files(self.settings, table)
        new = [path for path in every if path not in self.seen]
        found = set(mentioning(table, new, self.names)) if self.names.tokens else set()
        self.seen.update({path: path in found for path in new})
        return holding(table, every, self.users), {path for path in every if self.seen[path]}


def live_files(settings: Settings, table: Table) -> Days:
    """The data files of every published day."""
    iceberg = own_table(settings, table)
    days: Days = {}
    for task in iceberg.scan().plan_files() if iceberg else ():
        days.setdefault(str(task.file.partition[0]), []).append(task.file.file_path.removeprefix("file://"))
    return days


def landing_files_of(raw_files: list[str], users: frozenset[str]) -> set[str]:
    """The landing files that rows of the users in data files of `raw_events` came from."""
    if not raw_files:
        return set()
    with duckdb.connect() as connection:
        source = duckdb_sql(connection, RAW_EVENTS, raw_files, ["source_file", "account_id"])
        query = f"SELECT DISTINCT source_file FROM ({source}) WHERE account_id IN (SELECT unnest(?))"
        return {name for (name,) in connection.execute(query, [sorted(users)]).fetchall()}


def erase_rows(work: Erasing, table: Table) -> dict[str, int]:
    """Publishes every day that holds the users without their rows, their names masked in the rows of others.

    Returns rows removed per day; a day in which names alone were masked has none.
    """
    held, mentioned = work.files(table)
    change = anonymous_rows if table is RAW_EVENTS else without_rows

    def days_without(attempt: Attempt, live: Days) -> tuple[Days, dict[str, int]]:
        counts = {ds: sum(held.get(path, 0) for path in paths) for ds, paths in live.items()}
        counts = {ds: count for ds, count in counts.items() if count or mentioned.intersection(live[ds])}
        due = held.keys() | mentioned
        new = {ds: [_changed(work, table, attempt, ds, path, due, change) for path in live[ds]] for ds in counts}
        return {ds: [path for path in paths if path] for ds, paths in new.items()}, counts

    return replace_days(work, table, days_without)


def replace_days(
    work: Erasing, table: Table, make: Callable[[Attempt, Days], tuple[Days, dict[str, int]]]
) -> dict[str, int]:
    """Publishes the days that `make` writes; returns what it says of each."""
    attempt = work.attempt(table)
    days, counts = make(attempt, live_files(work.settings, table))
    if days:
        # What is left was known since it was first visible, not since today.
        before = published(table.name, work.settings)
        wanted = {
            ds: Publication(attempt.run, attempt.fence, rows, digest, published=before[ds].published)
            for ds, (rows, digest) in _contents(work.settings, table, attempt, days).items()
        }
        exchange = {ds: (before[ds].digest, it.digest) for ds, it in wanted.items()}
        provenance.copy(work.settings, table.name, exchange)
        commit(work.settings, table, wanted, days, {"tidemark.erasure": work.run})
        # What was made from these rows loses the person's rows too: nothing is to be made again.
        provenance.exchange_digests(work.settings, table.name, exchange)
        staging.complete(attempt, sorted(days), days)
    else:
        attempt.path.rmdir()
    return counts


def anonymous_rows(rows: pa.Table, theirs: np.ndarray) -> pa.Table:
    """All rows; those of the users say nothing but where they landed."""
    places = np.flatnonzero(theirs)
    taken = {name: rows[name].take(pa.array(places)) for name in STAYS}
    reason = {"reject_reason": pa.array([ERASED] * len(places), pa.string())}
    known = taken | reason
    empty = [known[field.name] if field.name in known else pa.nulls(len(places), field.type) for field in rows.schema]
    return pa.concat_tables([without_rows(rows, theirs), pa.table(empty, schema=rows.schema)])


def _changed(work: Erasing, table: Table, attempt: Attempt, ds: str, path: str, due: Set[str], change: Callable) -> str:
    if path not in due:
        schema = file_schema(work.settings, table)
        found, _ = row_groups(path, table, schema)
        is_declared = found == pq.read_schema(path)
        return same_file(path, attempt.day(ds)) if is_declared else copied(path, attempt.day(ds), table, schema)
    return rewritten(work.settings, table, path, attempt.day(ds), work.users, work.names, change)


def _contents(settings: Settings, table: Table, attempt: Attempt, days: Days) -> dict[str, tuple[int, str]]:
    """Rows and digest of each day, as an audit would find them.

    Days of before a column was declared get a digest of their own: no rerun equals them.
    """
    found = {}
    for ds, paths in days.items():
        rows = sum(int(pq.read_metadata(path).num_rows) for path in paths)
        found[ds] = (rows, uuid.uuid4().hex if rows else "0")
    declared = set(table.schema.names)
    whole = {
        ds: paths
        for ds, paths in days.items()
        if paths and all(declared <= set(pq.read_schema(path).names) for path in paths)
    }
    if whole:
        manifest = Manifest(table.name, attempt.run, attempt.part, "", attempt.started, whole)
        with staged_rows(settings, table, [manifest], []) as staged:
            content = staged.content().items()
        found |= {ds: (int(str(it["rows"])), str(it["digest"])) for ds, it in content}
    return found
