"""Quarantine and accounting after the erasure of rows of `raw_events`.

Both are derived from what the tables hold now, not from what was just erased, so an interrupted erasure is finished by
the next one.
"""

from collections import Counter

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.erasure.data_files import rewritten, without_rows
from pipeline.erasure.published import Days, Erasing, live_files, replace_days
from pipeline.storage.audit.staged_rows import parquet_sql
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import write_day
from pipeline.storage.reading import published
from pipeline.storage.staging import Attempt
from pipeline.storage.suppression import ERASED
from pipeline.tables.registry import ACCOUNTING, EVENTS, QUARANTINE, RAW_EVENTS

Place = tuple[str, str, str]  # ds, platform, landing file


def renew_quarantine(work: Erasing) -> dict[str, int]:
    """Days whose quarantine lacks an erased row, or holds or names one of the users, are published again.

    Returns the erased rows of those days.
    """
    raw = _erased_rows(live_files(work.settings, RAW_EVENTS), "reject_reason")

    def renewed(attempt: Attempt, live: Days) -> tuple[Days, dict[str, int]]:
        held, mentioned = work.files(QUARANTINE)
        known = _erased_rows(live, "reason")
        cleaned = published(QUARANTINE.name, work.settings)
        due = {ds for ds, *_ in raw - known if ds in cleaned}
        due |= {ds for ds, paths in live.items() if any(path in held or path in mentioned for path in paths)}
        days = {ds: _quarantine_day(work, attempt, ds, live.get(ds, []), raw) for ds in due}
        return days, {ds: sum(n for place, n in raw.items() if place[0] == ds) for ds in due}

    return replace_days(work, QUARANTINE, renewed)


def renew_accounting(work: Erasing) -> dict[str, int]:
    """Days whose counts are not those of the tables are published again; returns erased rows."""
    told_by = [live_files(work.settings, table) for table in (RAW_EVENTS, EVENTS, QUARANTINE)]
    erased = Counter(ds for ds, *_ in _erased_rows(told_by[0], "reject_reason").elements())

    def renewed(attempt: Attempt, live: Days) -> tuple[Days, dict[str, int]]:
        schema, days = file_schema(work.settings, ACCOUNTING), {}
        for ds in sorted(set(erased) & set(live)):
            before = _accounting_rows(live[ds])
            after = [_counted(row, *[table.get(ds, []) for table in told_by]) for row in before]
            if after != before:
                rows = pa.Table.from_pylist(after, schema=ACCOUNTING.schema)
                days[ds] = [write_day(attempt.day(ds), rows, schema)]
        return days, {ds: erased[ds] for ds in days}

    return replace_days(work, ACCOUNTING, renewed)


def _quarantine_day(work: Erasing, attempt: Attempt, ds: str, paths: list[str], raw: Counter[Place]) -> list[str]:
    """The day's rows of others, and one row for each erased one."""
    folder = attempt.day(ds)
    kept = [rewritten(work.settings, QUARANTINE, path, folder, work.users, work.names, _of_others) for path in paths]
    places = [place for place in sorted(raw.elements()) if place[0] == ds]
    rows = [{"ds": ds, "platform": platform, "reason": ERASED, "source_file": file} for _, platform, file in places]
    made = pa.Table.from_pylist(rows, schema=QUARANTINE.schema)
    marks = write_day(folder, made, file_schema(work.settings, QUARANTINE)) if rows else ""
    return [path for path in (*kept, marks) if path]


def _of_others(rows: pa.Table, theirs: np.ndarray) -> pa.Table:
    """Rows that are neither the users' nor marks; marks are written again."""
    marks = pc.equal(rows["reason"], ERASED).to_numpy(zero_copy_only=False)
    return without_rows(rows, theirs | marks)


def _erased_rows(days: Days, column: str) -> Counter[Place]:
    """How many rows of each landing file are erased."""
    files = [path for paths in days.values() for path in paths]
    if not files:
        return Counter()
    query = f"""SELECT ds, platform, source_file, count(*) FROM {parquet_sql(files)}
        WHERE {column} = '{ERASED}' GROUP BY ALL"""
    with duckdb.connect() as connection:
        found = connection.execute(query).fetchall()
    return Counter({(ds, platform, file): rows for ds, platform, file, rows in found})


def _accounting_rows(paths: list[str]) -> list[dict[str, object]]:
    names = ", ".join(ACCOUNTING.schema.names)
    with duckdb.connect() as connection:
        query = f"SELECT {names} FROM {parquet_sql(paths)} ORDER BY platform"
        found: pa.Table = connection.sql(query).to_arrow_table()
    return found.cast(ACCOUNTING.schema).to_pylist()


def _counted(row: dict[str, object], raw: list[str], events: list[str], quarantine: list[str]) -> dict[str, object]:
    """The row of a platform and day with the counts of the tables; what is left are duplicates."""
    platform = str(row["platform"])
    landed, kept = (
        _count(raw, platform, "'rows'")["rows"],
        _count(events, platform, "'rows'")["rows"],
    )
    reasons = _count(quarantine, platform, "reason")
    quarantined = sum(reasons.values())
    return {
        **row,
        "rows_landed": landed,
        "events": kept,
        "duplicates": landed - kept - quarantined,
        "quarantined": quarantined,
        "quarantine_reasons": [{"reason": r, "rows": n} for r, n in sorted(reasons.items())],
    }


def _count(paths: list[str], platform: str, by: str) -> Counter[str]:
    if not paths:
        return Counter()
    query = f"SELECT {by}, count(*) FROM {parquet_sql(paths)} WHERE platform = ? GROUP BY 1"
    with duckdb.connect() as connection:
        return Counter(dict(connection.execute(query, [platform]).fetchall()))
