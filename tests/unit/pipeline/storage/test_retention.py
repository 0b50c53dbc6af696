"""How long published days stay: which go, what stays of them, and that they are not taken for missing ones."""

import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.airflow import waits
from pipeline.commands.nightly import load_earlier
from pipeline.commands.status import print_status
from pipeline.features.point_in_time import by_day
from pipeline.runtime.days import day_range, shift
from pipeline.runtime.errors import NotPublishedError, SettingsError
from pipeline.runtime.settings import Settings
from pipeline.storage import retention
from pipeline.storage.catalog import load_table
from pipeline.storage.maintenance import maintain, plan
from pipeline.storage.publications import gone_of
from pipeline.storage.publish import publications, publish
from pipeline.storage.reading import loaded, pinned_files, read
from pipeline.storage.retention import Needs, going
from pipeline.storage.rollback import rollback
from pipeline.tables.registry import TABLES, table_named
from pipeline.tables.schema import Keep
from spark_jobs.states.examples import LONG_TRAIN
from tests.unit.pipeline.staged_factory import SOUND, pass_audit, stage

SUNDAY = "2026-03-29"
DAYS = day_range(shift(SUNDAY, -99), SUNDAY)
FEW = {"keep": "user_history=3+1"}


def kept(days: list[str], keep: Keep) -> list[str]:
    return sorted(set(days) - set(going(days, keep)))


def publish_days(settings: Settings, name: str, days: list[str], run: str = "r") -> None:
    rows = {ds: [{**SOUND[name], "ds": ds}] for ds in days}
    pass_audit(settings, stage(settings, name, rows, f"{run}-{days[0]}"))
    publish(settings, table_named(name), f"{run}-{days[0]}")


def test_the_newest_days_stay_and_the_newest_of_each_week_before() -> None:
    assert kept(DAYS, Keep(7, 2)) == ["2026-03-15", "2026-03-22", *DAYS[-7:]]
    assert kept(DAYS, Keep(3)) == DAYS[-3:]
    assert kept(DAYS, Keep(None)) == DAYS


def test_days_are_counted_and_not_the_calendar() -> None:
    """After a pause of months nothing more has gone."""
    assert kept([*DAYS[:5], SUNDAY], Keep(7, 0)) == [*DAYS[:5], SUNDAY]


@given(st.integers(1, 9), st.integers(0, 4), st.integers(20, 60))
def test_maintained_each_day_or_once_the_same_stays(days: int, weeks: int, nights: int) -> None:
    """What is to stay for weeks is not taken while it is still young."""
    keep, there = Keep(days, weeks), []
    for ds in DAYS[:nights]:
        there = kept([*there, ds], keep)
    assert there == kept(DAYS[:nights], keep)


def test_needed_days_stay() -> None:
    gone = going(DAYS, Keep(2), since=DAYS[-5], single={DAYS[0]})
    assert list(gone) == DAYS[1:-5]


def test_days_go_in_one_transaction_and_are_remembered(home: Settings) -> None:
    days = DAYS[-10:]
    publish_days(home, "user_history", days)
    few = home.model_copy(update=FEW)
    assert list(plan(few)["user_history"]) == days[:2] + days[3:7]  # of the week before, Sunday stays
    assert maintain(few)["user_history"].days == days[:2] + days[3:7]
    iceberg = load_table(home, table_named("user_history"))
    assert iceberg is not None
    left = [days[2], *days[-3:]]
    assert list(publications(iceberg)) == left
    assert sorted(read("user_history", None, home)["ds"].to_pylist()) == left
    gone = gone_of(iceberg)
    assert [ds for ds in (shift(days[0], -9), *days) if ds in gone] == [shift(days[0], -9), *days[:2], *days[3:7]]
    assert maintain(few)["user_history"].days == []
    assert [key for key in iceberg.properties if key.startswith("pub.")] == [f"pub.{ds}" for ds in left]


def test_a_day_that_has_gone_says_so(home: Settings) -> None:
    publish_days(home, "user_history", DAYS[-5:])
    maintain(home.model_copy(update={"keep": "user_history=3"}))
    with pytest.raises(NotPublishedError, match=rf"ds={DAYS[-5]}: maintenance has removed it, as TIDEMARK_KEEP says"):
        read("user_history", DAYS[-5], home)
    with pytest.raises(NotPublishedError, match="not published"):
        rollback(home, table_named("user_history"), DAYS[-5])


def test_a_day_that_has_gone_can_be_published_again(home: Settings) -> None:
    publish_days(home, "user_history", DAYS[-5:])
    maintain(home.model_copy(update={"keep": "user_history=3"}))
    publish_days(home, "user_history", [DAYS[-5]], "again")
    assert read("user_history", DAYS[-5], home).num_rows == 1
    assert DAYS[-5] in loaded("user_history", home).days


def test_old_rows_can_be_read_until_their_snapshot_expires(home: Settings) -> None:
    publish_days(home, "user_history", DAYS[-5:])
    before, files = pinned_files("user_history", DAYS[-5], DAYS[-5], home)
    maintain(home.model_copy(update={"keep": "user_history=3"}))
    assert pinned_files("user_history", DAYS[-5], DAYS[-5], home, before) == (before, files)
    assert all(Path(file.removeprefix("file://")).exists() for file in files)


def test_snapshots_that_a_model_needs_stay(home: Settings) -> None:
    publish_days(home, "user_history", DAYS[-5:-4])
    needed, files = pinned_files("user_history", DAYS[-5], DAYS[-5], home)
    publish_days(home, "user_history", DAYS[-4:])
    old = home.model_copy(update={"keep": "user_history=3", "retention_days": 1})
    month = time.time() + 30 * 86_400
    with pytest.MonkeyPatch.context() as later:
        for hours, ds in zip((36, 18, 0), DAYS[-3:], strict=True):  # nights go on: else the clock would be doubted
            later.setattr("pipeline.storage.maintenance.time.time", lambda ago=hours * 3600: month - ago)
            publish_days(home, "accounting", [ds])
        done = maintain(old, Needs(snapshots={"user_history": {needed or 0}}))["user_history"]
    assert done.snapshots > 0
    assert pinned_files("user_history", DAYS[-5], DAYS[-5], home, needed) == (needed, files)
    assert all(Path(file.removeprefix("file://")).exists() for file in files)


def test_a_removed_day_is_not_reported_as_missing_and_not_loaded_again(
    home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_days(home, "events", DAYS[-5:])
    few = home.model_copy(update={"keep": "events=2"})
    monkeypatch.setattr(retention, "least_days", lambda settings, table: (1, ""))
    maintain(few)
    for module in ("pipeline.commands.status", "pipeline.commands.nightly", "pipeline.sources.landing"):
        monkeypatch.setattr(f"{module}.landed_days", lambda settings: DAYS[-5:])
    assert waits.earlier_days(few, SUNDAY) == []
    monkeypatch.setattr("pipeline.commands.nightly.load_range", lambda *it: pytest.fail("loads again"))
    load_earlier(few, SUNDAY)
    print_status(few)
    [line] = [it for it in capsys.readouterr().out.splitlines() if it.startswith("events ")]
    assert line.split() == f"events 2 days, {DAYS[-2]}..{SUNDAY}, older ones removed up to {DAYS[-3]}".split()


def test_a_figure_over_removed_days_of_a_log_is_refused(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is computed from all events must not be computed from some of them in silence."""
    publish_days(home, "events", DAYS[-5:])
    monkeypatch.setattr(retention, "least_days", lambda settings, table: (1, ""))
    maintain(home.model_copy(update={"keep": "events=2"}))
    assert len(pinned_files("events", DAYS[-2], SUNDAY, home)[1]) == 2
    message = (
        rf"events: expected the days {DAYS[-3]}..{SUNDAY}, found that maintenance has removed some of those before"
    )
    with pytest.raises(NotPublishedError, match=message):
        pinned_files("events", DAYS[-3], SUNDAY, home)


def test_labels_of_removed_days_are_not_joined_with_older_features(home: Settings) -> None:
    publish_days(home, "user_features", DAYS[-10:])
    maintain(home.model_copy(update={"keep": "user_features=3+1"}))
    iceberg = load_table(home, table_named("user_features"))
    assert iceberg is not None
    states = by_day(iceberg, {"UTC"}, timedelta()).states
    found = {state.ds: state.is_lost for state in states}
    assert [ds for ds, is_lost in found.items() if not is_lost] == [DAYS[-8], *DAYS[-3:]]
    assert [ds for ds, is_lost in found.items() if is_lost] == [DAYS[-9], *DAYS[-7:-3]]


def test_training_cutoffs_lie_within_the_days_of_logs() -> None:
    assert max(LONG_TRAIN) == retention.TRAINING_DAYS


@pytest.mark.parametrize("name", TABLES)
def test_every_declared_table_keeps_what_is_read(name: str) -> None:
    retention.check(Settings())
    least, _ = retention.least_days(Settings(), TABLES[name])
    days = TABLES[name].kept.days
    assert days is None or days >= least


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (
            "events=100",
            r"TIDEMARK_KEEP: events: expected at least 498 days \(365 active, 126 .* 7 in which .*found 100",
        ),
        ("user_history=2+8", r"user_history: expected at least 3 days \(of the nights that serve\), found 2\+8"),
        ("no_table=900", r"expected a table in 'no_table=900', found 'no_table'; see `python -m pipeline tables`"),
        ("events=year", r"events: expected days, days\+weeks or forever, found 'year', for example events=30\+8"),
        ("items=9, items=8", r"expected each table once, found items twice"),
    ],
)
def test_a_setting_below_what_is_read_is_refused(keep: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        retention.check(Settings(keep=keep))


def test_a_log_is_kept_longer_where_users_stay_active_longer() -> None:
    retention.check(Settings(keep="events=498, items=forever"))
    with pytest.raises(SettingsError, match="expected at least 533 days"):
        retention.check(Settings(keep="events=498", active_days=400))
