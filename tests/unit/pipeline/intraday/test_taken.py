"""Which files a refresh takes, from which night on, and which hours there are."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.intraday.base import Base, find_base, superseded_by
from pipeline.intraday.hour import day_of, parse_hour
from pipeline.intraday.taken import Plan, as_facts, finished, plan_refresh, staged_row, told_of
from pipeline.runtime.errors import NotPublishedError, UsageError
from pipeline.runtime.settings import Settings
from pipeline.sources.landed_file import LandedFile
from pipeline.storage.publish import publish
from pipeline.tables.registry import table_named
from tests.unit.pipeline.staged_factory import SOUND, pass_audit, stage

DAY = "2024-03-05"
BASE = Base("2024-03-04", datetime(2024, 3, 5, 1, tzinfo=UTC))
TEN = datetime(2024, 3, 5, 10, tzinfo=UTC)
NIGHT = ("user_features", "user_history", "items", "item_embeddings", "item_topics", "review_sentiments")


def file(name: str, size: int = 10, at: datetime = TEN) -> LandedFile:
    nanoseconds = int(at.timestamp()) * 10**9 + 123  # finer than tables hold
    return LandedFile("/" + name, name, DAY, 3, (), size, nanoseconds)


def done(hour: int, *files: LandedFile, anew: bool = False, **changes: object) -> dict[str, Any]:
    """The row of a finished refresh."""
    plan = Plan(list(files), anew, True, frozenset())
    row = told_of(plan, BASE, DAY, f"{DAY}T{hour:02}", f"r{hour}")
    return {**row, "readable_at": TEN.replace(hour=hour), **changes}


def planned(landed: list[LandedFile], *before: dict[str, Any], hour: int = 12) -> Plan:
    """The plan after refreshes of which the last published."""
    published_by = str(before[-1]["run"]) if before else ""
    return plan_refresh(landed, list(before), BASE, f"{DAY}T{hour:02}", published_by)


A, B, C = file("a"), file("b"), file("c")


def test_the_first_refresh_takes_all_there_is() -> None:
    assert planned([A, B]) == Plan([A, B], True, False, frozenset())
    assert planned([]) == Plan([], True, False, frozenset())


def test_a_refresh_takes_what_none_before_has_taken() -> None:
    first, second = done(10, A, anew=True), done(11, B)
    settled = frozenset({f"{DAY}T10", f"{DAY}T11"})
    assert planned([A, B, C], first, second) == Plan([C], False, True, settled)
    assert planned([A, B], first, second) == Plan([], False, True, settled)


def test_rows_of_the_same_hour_are_not_settled() -> None:
    again = planned([A, B, C], done(10, A, anew=True), done(12, B))
    assert again == Plan([C], False, True, frozenset({f"{DAY}T10"}))


def test_no_row_is_settled_while_those_published_are_of_an_unfinished_run() -> None:
    first = done(10, A, anew=True)
    plan = plan_refresh([A, B], [first], BASE, f"{DAY}T12", "failed since")
    assert plan == Plan([B], False, True, frozenset())


@pytest.mark.parametrize("now", [[file("a", size=11), B], [file("a", at=TEN + timedelta(seconds=1)), B], [B]])
def test_a_file_that_changed_or_vanished_begins_anew(now: list[LandedFile]) -> None:
    first = done(10, A, anew=True)
    assert planned(now, first) == Plan(now, True, True, frozenset())
    # After that refresh the file as it was is forgotten.
    second = done(11, *now, anew=True)
    assert planned([*now, C], first, second).files == [C]


@pytest.mark.parametrize("changes", [{"base_ds": "2024-03-03"}, {"base_published_at": TEN}], ids=["night", "rerun"])
def test_another_base_begins_anew_without_the_rows_of_before(changes: dict[str, object]) -> None:
    plan = planned([A, B], done(10, A, anew=True, **changes))
    assert plan == Plan([A, B], True, False, frozenset())


def publish_day(home: Settings, table: str, ds: str, *rows: dict[str, object]) -> None:
    run = f"{table}-{ds}"
    made = [{**row, "ds": ds} for row in rows or [SOUND[table]]]
    pass_audit(home, stage(home, table, {ds: made}, run))
    publish(home, table_named(table), run)


def test_the_base_is_the_newest_whole_night_before_the_day(home: Settings) -> None:
    with pytest.raises(NotPublishedError, match=r"expected a night before 2024-03-05 .* run one"):
        find_base(home, DAY)
    for table in NIGHT:
        publish_day(home, table, "2024-03-02")
    publish_day(home, "user_features", "2024-03-04")  # whose histories are not there
    base = find_base(home, DAY)
    assert base.ds == "2024-03-02"
    assert base.open_days(DAY) == ["2024-03-03", "2024-03-04", "2024-03-05"]
    assert abs(datetime.now(UTC) - base.published_at) < timedelta(minutes=5)
    with pytest.raises(NotPublishedError):
        find_base(home, "2024-03-02")


def test_a_later_night_supersedes_the_refresh(home: Settings) -> None:
    assert superseded_by(home, DAY) == ""
    publish_day(home, "user_features", "2024-03-04")
    assert superseded_by(home, DAY) == ""
    publish_day(home, "user_features", "2024-03-06")
    assert superseded_by(home, DAY) == "2024-03-06"


def test_finished_refreshes_are_in_order_and_without_the_own_run(home: Settings) -> None:
    assert finished(home, DAY, "r9") == []
    rest = {k: SOUND["intraday_refreshes"][k] for k in ("seconds", "users")}
    counts = {"records": 0, "events": 0, "duplicates": 0, "quarantined": 0}
    rows = [{**done(hour, A), **rest, **counts} for hour in (11, 10, 12)]
    publish_day(home, "intraday_refreshes", DAY, *rows)
    assert [row["run"] for row in finished(home, DAY, "r12")] == ["r10", "r11"]
    assert planned([A, B], {**finished(home, DAY, "r12")[0], "anew": True}).files == [B]


def test_what_a_manifest_keeps_comes_back_as_it_was(home: Settings) -> None:
    for row in (done(10, A, B, anew=True), done(11)):
        del row["readable_at"]
        stage(home, "user_history_intraday", {DAY: []}, str(row["run"]), facts={"refresh": as_facts(row)})
        assert staged_row(home, str(row["run"])) == row


def test_hours() -> None:
    noon = datetime(2024, 3, 5, 12, 30, tzinfo=UTC)
    assert parse_hour("2024-03-05T12", "UTC", noon) == "2024-03-05T12"
    assert parse_hour("2024-03-05T21", "Asia/Tokyo", noon) == "2024-03-05T21"
    assert day_of("2024-03-05T12") == DAY
    with pytest.raises(UsageError, match=r"begun, found 2024-03-05T13: it is 2024-03-05T12 in UTC"):
        parse_hour("2024-03-05T13", "UTC", noon)
    for wrong in ("2024-03-05", "2024-03-05T24", "2024-03-05T1", "2024-02-30T01", "now"):
        with pytest.raises(UsageError, match=f"expected YYYY-MM-DDTHH, found '{wrong}'"):
            parse_hour(wrong, "UTC", noon)


def test_hours_of_the_days_on_which_clocks_change() -> None:
    berlin = "Europe/Berlin"
    first = datetime(2024, 10, 27, 0, 30, tzinfo=UTC)  # 02:30 by summer time
    for now in (first, first + timedelta(hours=1)):  # and 02:30 again
        assert parse_hour("2024-10-27T02", berlin, now) == "2024-10-27T02"
        with pytest.raises(UsageError, match="it is 2024-10-27T02"):
            parse_hour("2024-10-27T03", berlin, now)
    spring = datetime(2024, 3, 31, 1, 30, tzinfo=UTC)  # 03:30: there is no 02:30
    assert parse_hour("2024-03-31T02", berlin, spring) == "2024-03-31T02"
