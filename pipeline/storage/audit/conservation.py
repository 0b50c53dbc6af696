"""What must be conserved from table to table: events that histories count, users that each table has, sessions.

Each check compares aggregates of what is staged with those of what it was made from; none looks at single rows.
"""

from collections.abc import Iterable

import duckdb

from pipeline.runtime.days import shift
from pipeline.runtime.errors import AuditError
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import active_sources
from pipeline.storage.audit.staged_rows import data_files, parquet_sql
from pipeline.storage.declared import duckdb_sql
from pipeline.storage.inputs import Pins
from pipeline.storage.staging import Manifest
from pipeline.tables.registry import EVENTS, SESSIONS, USER_HISTORY

# Days after which every session of an arrival day is closed: rows may arrive a day early, a chain lasts up to 24 h.
CLOSED_AFTER = 3
EVENT_COLUMNS = ("ds", "event_id", "account_id", "platform", "event_time", "arrival_ds")
SESSION_COLUMNS = ("ds", "session_id", "account_id", "platform", "started_at", "ended_at", "is_late")
SESSION_DAYS_CHECKED = 7  # of a range, its last ones


def check_history_counts(settings: Settings, run: str, manifests: list[Manifest]) -> None:
    """For each day of the window, `user_history` counts exactly the published events that are known from it on."""
    days = sorted({ds for manifest in manifests for ds in manifest.days})
    rows = _query(
        data_files(manifests),
        "SELECT ds, d.arrival_ds, sum(d.events)::BIGINT FROM (SELECT ds, unnest(daily) AS d FROM {}) GROUP BY ALL",
    )
    counted = {(ds, arrival): number for ds, arrival, number in rows}
    known = _known_events(Pins(settings), shift(days[0], -settings.active_days), days[-1])
    for ds in days:
        oldest = shift(ds, -settings.active_days)
        expected = {day: number for day, number in known.items() if oldest < day <= ds and number}
        found = {day: number for (of, day), number in counted.items() if of == ds}
        for day in sorted(expected.keys() | found.keys()):
            if expected.get(day, 0) != found.get(day, 0):
                raise AuditError(
                    f"user_history ds={ds}: expected {expected.get(day, 0)} events known from {day} on (published in "
                    f"events), found {found.get(day, 0)} counted; run `python -m pipeline stale`, then the job again"
                )


def _known_events(pins: Pins, first: str, last: str) -> dict[str, int]:
    """Published events by the day from which they are known: most of them from the day that they arrived on.

    Only files that hold some back to the next day are read; the others are counted by what was published.
    """
    found = {ds: it.rows for ds, it in pins.days(EVENTS.name).items() if first <= ds <= last}
    iceberg = pins.table(EVENTS.name)
    if iceberg is None or "known_ds" not in iceberg.schema().column_names:
        return found
    held = iceberg.scan(row_filter=f"ds >= '{first}' and ds <= '{last}' and known_ds is not null").plan_files()
    files = _local(task.file.file_path for task in held)
    query = "SELECT ds, known_ds, count(*) FROM {} WHERE known_ds IS NOT NULL GROUP BY ALL"
    for ds, known_ds, number in _query(files, query):
        found[ds] -= number
        found[known_ds] = found.get(known_ds, 0) + number
    return found


def check_users(settings: Settings, run: str, manifests: list[Manifest]) -> None:
    """The users of a day are exactly those of its published `user_history`."""
    table, users = manifests[0].table, "SELECT ds, count(*), bit_xor(hash(user_id)) FROM {} GROUP BY ds"
    pins = Pins(settings)
    days = sorted({ds for manifest in manifests for ds in manifest.days})
    history = _local(pins.files(USER_HISTORY.name, days[0], days[-1]))
    found = {ds: (number, mark) for ds, number, mark in _query(data_files(manifests), users)}
    expected = {ds: (number, mark) for ds, number, mark in _query(history, users)}
    for ds in days:
        if found.get(ds) != expected.get(ds):
            said, there = (it.get(ds, (0, 0))[0] for it in (expected, found))
            which = "others" if said == there else str(there)
            raise AuditError(
                f"{table} ds={ds}: expected the {said} users of user_history, found {which}; run the steps from "
                "profile on for this day again"
            )


def check_sessions(settings: Settings, run: str, manifests: list[Manifest]) -> None:
    """Every event whose session has closed by a staged day is in exactly one session."""
    staged = sorted({ds for manifest in manifests for ds in manifest.days})
    pins = Pins(settings)
    there = pins.days(SESSIONS.name).keys() | set(staged)
    due = [shift(ds, -CLOSED_AFTER) for ds in staged[-SESSION_DAYS_CHECKED:]]
    known = pins.days(EVENTS.name)
    due = [ds for ds in due if ds in known and {shift(ds, n) for n in range(CLOSED_AFTER + 1)} <= there]
    if not due:
        return
    earlier = _local(pins.files(SESSIONS.name, due[0], shift(staged[0], -1))) if due[0] < staged[0] else []
    events, sessions = _local(pins.files(EVENTS.name, due[0], due[-1])), [*earlier, *data_files(manifests)]
    if not events:
        return
    found = _in_sessions(settings, events, sessions)
    for ds in due:
        number, once = found.get(ds, (0, 0))
        if number != once:
            raise AuditError(
                f"sessions ds={shift(ds, CLOSED_AFTER)}: expected each of the {number} events of arrival day {ds} in "
                f"one session by then, found {number - once} that are in none or in several; run "
                "`python -m pipeline stale`, then sessionize again"
            )


def _in_sessions(settings: Settings, events: list[str], sessions: list[str]) -> dict[str, tuple[int, int]]:
    """By arrival day: events, and events that are in exactly one session."""
    if not sessions:
        return {ds: (number, 0) for ds, number in _query(events, "SELECT ds, count(*) FROM {} GROUP BY ds")}
    local = " ".join(
        f"WHEN '{it.platform}' THEN timezone('{it.timezone}', event_time)" for it in active_sources(settings)
    )
    query = f"""
        WITH e AS (SELECT *, (CASE platform {local} END)::DATE < arrival_ds::DATE AS is_late FROM ({{events}})),
        s AS ({{sessions}})
        SELECT ds, count(*), count(*) FILTER (number = 1) FROM (
            SELECT e.ds, e.event_id, count(s.session_id) AS number FROM e LEFT JOIN s
            ON e.account_id = s.account_id AND e.platform = s.platform AND e.is_late = s.is_late
                AND e.event_time BETWEEN s.started_at AND s.ended_at AND (NOT s.is_late OR s.ds = e.arrival_ds)
            GROUP BY e.ds, e.event_id
        ) GROUP BY ds"""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = query.format(
            events=duckdb_sql(connection, EVENTS, events, EVENT_COLUMNS),
            sessions=duckdb_sql(connection, SESSIONS, sessions, SESSION_COLUMNS),
        )
        return {ds: (number, once) for ds, number, once in connection.execute(rows).fetchall()}


def _query(files: list[str], query: str) -> list[tuple]:
    if not files:
        return []
    with duckdb.connect() as connection:
        return connection.execute(query.format(parquet_sql(files))).fetchall()


def _local(files: Iterable[str]) -> list[str]:
    return [path.removeprefix("file://") for path in files]
