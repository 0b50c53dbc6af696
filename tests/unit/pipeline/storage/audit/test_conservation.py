"""What must be conserved from table to table: each check finds what is lost, doubled or another's."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.runtime.errors import AuditError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.audit.conservation import check_history_counts, check_sessions, check_users
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import write_day
from pipeline.storage.inputs import Pins
from pipeline.tables.interests import USER_INTERESTS
from pipeline.tables.registry import EVENTS, SESSIONS, USER_HISTORY
from pipeline.tables.schema import Table
from tests.unit.pipeline.rows import whole_row
from tests.unit.spark_jobs.landed_shop import TOML, open_shop
from tests.unit.spark_jobs.published_rows import Row, as_arrow, event, instant, publish_rows

DAYS = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"]
ANN, BOB = "a" * 32, "b" * 32


def staged(settings: Settings, table: Table, ds: str, rows: list[Row]) -> list[staging.Manifest]:
    """One staged day."""
    attempt = staging.begin(settings, table.name, "r")
    whole = as_arrow(table, [whole_row(table, ds=ds, **{k: v for k, v in row.items() if k != "ds"}) for row in rows])
    path = write_day(attempt.day(ds), whole, file_schema(settings, table))
    return [staging.complete(attempt, [ds], {ds: [path]})]


def counted(user: str, **days: int) -> Row:
    daily = [
        {
            "arrival_ds": ds.replace("_", "-")[1:],
            "platform": "shop",
            "event_type": "view",
            "events": n,
            "quantity": 0.0,
            "value": 0.0,
        }
        for ds, n in days.items()
    ]
    return {"user_id": user, "daily": daily}


def test_histories_count_each_published_event_once(home: Settings) -> None:
    events = [event(f"{DAYS[0]}T10:00", account_id=ANN), event(f"{DAYS[1]}T10:00", account_id=ANN)]
    publish_rows(home, EVENTS, events, DAYS[:2])
    right = counted(ANN, d2026_03_01=1, d2026_03_02=1)
    check_history_counts(home, "r", staged(home, USER_HISTORY, DAYS[1], [right]))
    for wrong, found in ((counted(ANN, d2026_03_02=1), 0), (counted(ANN, d2026_03_01=2, d2026_03_02=1), 2)):
        manifests = staged(home, USER_HISTORY, DAYS[1], [wrong])
        with pytest.raises(
            AuditError,
            match=f"user_history ds={DAYS[1]}: expected 1 events known from {DAYS[0]} on .* found {found} counted",
        ):
            check_history_counts(home, "r", manifests)


def test_events_that_left_the_window_are_not_counted(home: Settings) -> None:
    publish_rows(home, EVENTS, [event(f"{DAYS[0]}T10:00"), event(f"{DAYS[1]}T10:00")], DAYS[:2])
    narrow = home.model_copy(update={"active_days": 1})
    check_history_counts(narrow, "r", staged(home, USER_HISTORY, DAYS[1], [counted(ANN, d2026_03_02=1)]))


def test_users_are_those_of_the_histories(home: Settings) -> None:
    publish_rows(home, USER_HISTORY, [_history(ANN), _history(BOB)], DAYS[:1])
    check_users(home, "r", staged(home, USER_INTERESTS, DAYS[0], [{"user_id": BOB}, {"user_id": ANN}]))
    manifests = staged(home, USER_INTERESTS, DAYS[0], [{"user_id": ANN}])
    with pytest.raises(AuditError, match=f"user_interests ds={DAYS[0]}: expected the 2 users of user_history, found 1"):
        check_users(home, "r", manifests)
    manifests = staged(home, USER_INTERESTS, DAYS[0], [{"user_id": ANN}, {"user_id": "c" * 32}])
    with pytest.raises(AuditError, match="expected the 2 users of user_history, found others"):
        check_users(home, "r", manifests)


def test_each_event_is_in_one_session_once_it_has_closed(home: Settings) -> None:
    open_shop(home, TOML)
    publish_rows(home, EVENTS, [event(f"{DAYS[0]}T10:00", account_id=ANN)], DAYS)
    publish_rows(home, SESSIONS, [_session(DAYS[0], ANN)], DAYS[:3])
    check_sessions(home, "r", staged(home, SESSIONS, DAYS[3], [_session(DAYS[3], BOB)]))
    publish_rows(home, SESSIONS, [_session(DAYS[0], BOB)], DAYS[:3])
    manifests = staged(home, SESSIONS, DAYS[3], [_session(DAYS[3], BOB)])
    with pytest.raises(
        AuditError,
        match=f"sessions ds={DAYS[3]}: expected each of the 1 events of arrival day {DAYS[0]} in one session",
    ):
        check_sessions(home, "r", manifests)
    twice = [_session(DAYS[0], ANN), _session(DAYS[0], ANN) | {"session_id": "e" * 32}]
    publish_rows(home, SESSIONS, twice, DAYS[:3])
    with pytest.raises(AuditError, match="1 that are in none or in several"):
        check_sessions(home, "r", manifests)


def test_events_of_an_older_home_are_read_by_their_earlier_name(
    home: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before version 2.0 events had `user_id`."""
    open_shop(home, TOML)
    publish_rows(home, EVENTS, [event(f"{DAYS[0]}T10:00", account_id=ANN)], DAYS)
    publish_rows(home, SESSIONS, [_session(DAYS[0], ANN)], DAYS[:3])
    [now] = Pins(home).files(EVENTS.name, DAYS[0], DAYS[-1])
    rows = pq.read_table(now.removeprefix("file://"))
    pq.write_table(rows.rename_columns({"account_id": "user_id"}), tmp_path / "old.parquet")
    found = Pins.files
    old = [str(tmp_path / "old.parquet")]
    monkeypatch.setattr(
        Pins, "files", lambda self, name, *days: old if name == EVENTS.name else found(self, name, *days)
    )
    check_sessions(home, "r", staged(home, SESSIONS, DAYS[3], [_session(DAYS[3], BOB)]))


def _history(user: str) -> Row:
    return {
        "ds": DAYS[0],
        "user_id": user,
        "platforms": ["shop"],
        "first_ds": DAYS[0],
        "last_ds": DAYS[0],
        "events": [],
        "daily": counted(user, d2026_03_01=1)["daily"],
    }


def _session(ds: str, account: str) -> Row:
    return {
        "ds": ds,
        "platform": "shop",
        "session_id": "d" * 32,
        "account_id": account,
        "started_at": instant(f"{ds}T10:00"),
        "ended_at": instant(f"{ds}T10:00"),
        "duration_seconds": 0.0,
        **dict.fromkeys(("events", "views"), 1),
        **dict.fromkeys(("searches", "carts", "purchases", "returns", "items"), 0),
        "value": 0.0,
        "item_ids": [],
        "is_late": False,
    }
