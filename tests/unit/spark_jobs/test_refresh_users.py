"""Refreshes through a day: users get the rows that the night would give them."""

import sys
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pipeline.intraday.taken import staged_row
from pipeline.runtime.errors import LandingError, NotPublishedError, StagingError, UsageError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage import staging
from pipeline.tables.interests import USER_INTERESTS, USER_SIGNALS
from pipeline.tables.intraday import USER_HISTORY_INTRADAY
from pipeline.tables.registry import USER_FEATURES, USER_HISTORY
from spark_jobs import profile_users, refresh_users
from spark_jobs.engine.job import SparkJob
from spark_jobs.landing.inspect import Landed
from spark_jobs.refresh.touched import everyone
from tests.unit.pipeline.staged_factory import SOUND
from tests.unit.spark_jobs.landed_shop import HEADER, land, open_shop, run_clean, run_ingest
from tests.unit.spark_jobs.published_rows import Row, publish_rows, publish_staged
from tests.unit.spark_jobs.refreshed_shop import (
    BASE,
    DAY,
    OPEN,
    finish,
    land_at,
    line,
    night,
    publish_shelf,
    run_accumulate,
    run_refresh,
    staged_users,
    user,
    users_of,
)

__all__ = ["night"]
pytestmark = pytest.mark.spark
NAMES = ("anna", "bert", "carl", "dora", "robo")
COUNTS = ("anew", "records", "events", "duplicates", "quarantined", "users")


def land_morning(home: Settings) -> None:
    """The open day before: a row of the base day once more. Today: a row of that day once more, a
    new user, one that is a bot by noon, a row without a user."""
    land_at(
        home,
        OPEN,
        line("anna", "view", "mug", "10:00:00", BASE, "2.5"),
        line("bert", "view", "pan", "09:00:00", OPEN),
    )
    land_at(
        home,
        f"{DAY}-morning",
        line("bert", "view", "pan", "09:00:00", OPEN),
        line("anna", "purchase", "mug", "09:00:00"),
        line("dora", "view", "pot", "09:00:00"),
        line("robo", "view", "cup", "09:01:00"),
        line("robo", "view", "cup", "09:02:00"),
        line("", "view", "cup", "09:02:00"),
        line("carl", "view", "mug", "09:30:00"),
    )


def land_noon(home: Settings) -> None:
    """The new user's view once more, fourth views of robo and carl, a late event of bert's."""
    land_at(
        home,
        f"{DAY}-noon",
        line("dora", "view", "pot", "09:00:00"),
        line("robo", "view", "cup", "12:01:00"),
        line("robo", "view", "mug", "12:02:00"),
        *[line("carl", "view", "mug", f"12:0{n}:00") for n in (1, 2, 3)],
        line("bert", "view", "cup", "23:00:00", BASE),
        hour=12,
    )


def test_hour_by_hour_as_the_night_does_it_at_once(
    spark: SparkSession, night: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One home: filling it takes most of the time."""
    anna, bert, carl, dora, robo = (user(night, it) for it in NAMES)
    land_morning(night)
    morning = finish(run_refresh(monkeypatch, 10))
    assert [morning[name] for name in COUNTS] == [True, 9, 6, 2, 1, 5]
    assert hours() == {anna: 10, bert: 10, carl: 10, dora: 10, robo: 10}
    seen = users_of("user_history_intraday")
    assert items(seen[anna]) == ["cup", "mug", "mug"]  # the oldest view of a cup expired
    assert items(seen[carl]) == ["cup", "mug"]

    land_noon(night)
    at_noon = staged_row(night, run_refresh(monkeypatch, 13))
    assert [file["name"] for file in at_noon["files"]] == [f"shop/{DAY}-noon.csv"]
    assert [at_noon[name] for name in COUNTS] == [False, 7, 1, 1, 5, 3]
    assert hours() == {anna: 10, bert: 13, carl: 13, dora: 13}
    assert not staging.run_folder(night, "user_signals", str(morning["run"])).exists()
    # It is never finished, so the next one does its work again, and all rows beside.
    first, run = str(at_noon["run"]), run_refresh(monkeypatch, 14)
    assert [finish(run)[name] for name in COUNTS] == [False, 7, 1, 1, 5, 4]
    assert set(hours().values()) == {14}
    # robo is a bot of whom nothing else is known; carl goes back to what the base night knew.
    hourly = states(users_of("user_history_intraday"))
    assert items(hourly[carl]) == ["cup"]
    assert items(hourly[bert]) == ["mug", "pot", "cup", "pan"]

    run_night(monkeypatch)
    of_night = users_of("user_history")
    assert hourly == {u: of_night[u] for u in (anna, bert, carl, dora)}
    assert robo not in of_night
    for table in (USER_INTERESTS, USER_SIGNALS):
        known = users_of(table.name)
        assert staged_users(table, first) == {u: known[u] for u in (bert, carl, dora)}
        assert staged_users(table, run) == {u: known[u] for u in (anna, bert, carl, dora)}
    assert learned_from(spark, night) == {u: (row["events"], row["daily"]) for u, row in of_night.items()}


def hours() -> dict[str, int]:
    rows = users_of("user_history_intraday")
    return {u: int(row["hour"][-2:]) for u, row in rows.items()}


def states(rows: dict[str, Row]) -> dict[str, Row]:
    return {u: {k: v for k, v in row.items() if k != "hour"} for u, row in rows.items()}


def items(row: Row) -> list[str]:
    return [entry["item_id"].removeprefix("shop:") for entry in row["events"]]


def run_night(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nights up to DAY, with the items and topics of the base."""
    run_ingest(monkeypatch, OPEN, DAY)
    run_clean(monkeypatch, OPEN, DAY)
    run_accumulate(monkeypatch, OPEN, DAY)
    publish_shelf(load_settings(), DAY, but=("user_features",))
    monkeypatch.setattr(sys, "argv", ["job", "--ds", DAY, "--run", "night"])
    profile_users.main()
    for table in (USER_INTERESTS, USER_SIGNALS):
        publish_staged(load_settings(), table, "night")


def learned_from(spark: SparkSession, home: Settings) -> dict[str, tuple[object, object]]:
    """Whose histories a refresh learned from, of which yan's is shorter now and zoe's gone."""
    job = SparkJob(home, spark, [DAY], "r")
    past = job.read_range(USER_HISTORY, BASE, BASE)
    today = job.read_range(USER_HISTORY_INTRADAY, DAY, DAY)
    rows = everyone(past, today, DAY, home.active_days).toArrow().to_pylist()
    return {row["user_id"]: (row["events"], row["daily"]) for row in rows}


def test_a_night_supersedes_the_refreshes_of_its_day(
    home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_rows(home, USER_FEATURES, [{**SOUND["user_features"], "ds": DAY}], [DAY])
    start(monkeypatch, f"{DAY}T10")
    said = f"refresh {DAY}T10: nothing to do, the night of {DAY} is published\n"
    assert capsys.readouterr().out == said
    assert not (home.staging / "user_history_intraday").exists()


def test_without_a_night_or_an_hour_that_has_begun_it_is_refused(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotPublishedError, match=f"expected a night before {DAY} to go on from"):
        start(monkeypatch, f"{DAY}T10")
    with pytest.raises(UsageError, match="expected one that has begun, found 2999-01-01T10"):
        start(monkeypatch, "2999-01-01T10")


def start(monkeypatch: pytest.MonkeyPatch, hour: str) -> None:
    monkeypatch.setattr(sys, "argv", ["job", "--hour", hour, "--run", "r"])
    refresh_users.main()


def test_a_damaged_file_or_one_that_changes_stages_nothing(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_shop(home)
    publish_shelf(home, BASE)
    publish_rows(home, USER_HISTORY, [{**SOUND["user_history"], "ds": BASE}], [BASE])
    damaged = land(home, f"shop/{DAY}-b.csv.gz", HEADER + line("anna", "view", "mug", "09:00:00"))
    damaged.write_bytes(damaged.read_bytes()[:-9])
    with pytest.raises(LandingError, match=rf"shop/{DAY}-b.csv.gz: expected a whole gzip file"):
        start(monkeypatch, f"{DAY}T10")
    damaged.unlink()
    nothing = finish(run_refresh(monkeypatch, 9))
    assert [nothing[name] for name in COUNTS] == [True, 0, 0, 0, 0, 0]
    assert (nothing["files"], nothing["last_landed_at"]) == ([], None)

    growing = land(home, f"shop/{DAY}.csv", HEADER + line("anna", "view", "mug", "09:00:00"))
    inspected = refresh_users.inspect_so_far

    def grow(*given: Any) -> Landed:
        landed = inspected(*given)
        growing.write_text(growing.read_text() + line("bert", "view", "mug", "09:00:00"))
        return landed

    monkeypatch.setattr(refresh_users, "inspect_so_far", grow)
    with pytest.raises(LandingError, match=rf"shop/{DAY}.csv: changed while it was read"):
        start(monkeypatch, f"{DAY}T10")
    with pytest.raises(StagingError, match="staged nothing"):
        staging.current(home, "user_history_intraday", "r")
