"""What a refresh leaves in `intraday_refreshes`, and what `status` and `find_base` say of it."""

import sys
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.commands import cli, status
from pipeline.features.online import open_backend
from pipeline.features.online.load import load_night
from pipeline.intraday import patch
from pipeline.intraday.base import Base
from pipeline.intraday.refreshes import describe, newest
from pipeline.intraday.taken import Plan, as_facts, told_of
from pipeline.runtime.errors import FencedError, NotPublishedError, UsageError
from pipeline.runtime.settings import Settings
from pipeline.sources.landed_file import LandedFile
from pipeline.storage import staging
from pipeline.storage.publish import publish
from pipeline.storage.reading import read
from pipeline.tables.intraday import INTRADAY_TABLES
from pipeline.tables.registry import USER_FEATURES
from tests.unit.pipeline.staged_factory import DAY, SOUND, pass_audit, stage

BASE = "2024-03-04"
TEN, ELEVEN = f"{DAY}T10", f"{DAY}T11"
BEGAN = datetime(2024, 3, 5, 9, 40, tzinfo=UTC)
LANDED = datetime(2024, 3, 5, 9, 30, tzinfo=UTC)
HISTORIES, FEATURES, REFRESHES = INTRADAY_TABLES


def landed(number: int) -> LandedFile:
    """A file of ten records, each a minute after the one before."""
    moment = int((LANDED + timedelta(minutes=number)).timestamp()) * 10**9
    return LandedFile(f"/x/{number}", f"shop/{number}.csv", DAY, 10, (), 99, moment)


def refreshed(settings: Settings, hour: str, run: str, files: list[int], users: int = 2) -> None:
    """What the steps before have published: users of the hour, files that it takes."""
    plan = Plan([landed(number) for number in files], not files, True, frozenset())
    told = told_of(plan, Base(BASE, LANDED), DAY, hour, run)
    counts = {"events": 7 * len(files), "duplicates": 2 * len(files), "quarantined": len(files)}
    row = as_facts({**told, **counts, "users": users})
    facts = {"refresh": row, "began_at": BEGAN.isoformat()}
    rows = [{"user_id": f"{number:032x}", "hour": hour} for number in range(users)]
    for table, more in ((HISTORIES, facts), (FEATURES, {"model_version": "3" if users else None})):
        staged = [{**SOUND[table.name], **row} for row in rows]
        pass_audit(settings, stage(settings, table.name, {DAY: staged}, run, facts=more))
        publish(settings, table, run)


def finish(settings: Settings, hour: str, run: str) -> dict[str, object]:
    row = patch.patch(settings, hour, run)
    (manifest,) = staging.current(settings, REFRESHES.name, run)
    pass_audit(settings, manifest)
    publish(settings, REFRESHES, run)
    return row


def publish_night(settings: Settings, ds: str) -> None:
    row = {**SOUND["user_features"], "ds": ds, "first_ds": ds, "last_ds": ds}
    pass_audit(settings, stage(settings, "user_features", {ds: [row]}, f"night-{ds}"))
    publish(settings, USER_FEATURES, f"night-{ds}")
    load_night(settings, open_backend(settings), ds)


def test_a_refresh_tells_what_it_took_and_what_it_cost(home: Settings) -> None:
    publish_night(home, BASE)
    refreshed(home, TEN, "r1", files=[1, 2])
    row = finish(home, TEN, "r1")
    assert read(REFRESHES.name, DAY, home).to_pylist() == [row]
    assert [file["name"] for file in row["files"]] == ["shop/1.csv", "shop/2.csv"]
    assert (row["records"], row["events"], row["duplicates"], row["quarantined"]) == (20, 14, 4, 2)
    assert row["last_landed_at"] == LANDED + timedelta(minutes=2)
    assert row["store_version"] == open_backend(home).nights().current.version
    assert row["model_version"] == "3"
    steps = {entry["step"]: entry["seconds"] for entry in row["seconds"]}
    assert list(steps) == ["refresh", "rescore", "patch"] and min(steps.values()) > 0
    whole = (row["readable_at"] - BEGAN).total_seconds()
    assert sum(steps.values()) == pytest.approx(whole, abs=1e-4)


def test_rows_of_earlier_refreshes_stay_and_a_step_done_again_replaces_its_own(
    home: Settings,
) -> None:
    publish_night(home, BASE)
    refreshed(home, TEN, "r1", files=[1])
    first = finish(home, TEN, "r1")
    refreshed(home, ELEVEN, "r2", files=[2, 3])
    finish(home, ELEVEN, "r2")
    second = finish(home, ELEVEN, "r2")
    rows = read(REFRESHES.name, DAY, home).to_pylist()
    assert sorted(rows, key=lambda row: row["run"]) == [first, second]
    assert newest(home) == second


def test_a_refresh_without_new_files(home: Settings) -> None:
    publish_night(home, BASE)
    refreshed(home, TEN, "r1", files=[], users=0)
    row = finish(home, TEN, "r1")
    assert (row["files"], row["model_version"], row["users"]) == ([], None, 0)
    assert describe(row) == f"{TEN}, nothing new had landed"


def test_without_a_night_online_the_refresh_is_finished_all_the_same(home: Settings) -> None:
    refreshed(home, TEN, "r1", files=[1])
    assert finish(home, TEN, "r1")["store_version"] is None


def test_rows_of_a_newer_refresh_are_not_taken_for_its_own(home: Settings) -> None:
    publish_night(home, BASE)
    refreshed(home, TEN, "slow", files=[1])
    refreshed(home, TEN, "fast", files=[1, 2], users=3)
    with pytest.raises(FencedError, match=r"rows of run 'slow', found those of run 'fast'"):
        patch.patch(home, TEN, "slow")
    assert finish(home, TEN, "fast")["users"] == 3


def test_status_tells_how_fresh_the_store_is(home: Settings, capsys) -> None:
    publish_night(home, BASE)
    refreshed(home, TEN, "r1", files=[1, 2])
    row = finish(home, TEN, "r1")
    status.print_status(home)
    lines = capsys.readouterr().out.splitlines()
    waited = (row["readable_at"] - row["last_landed_at"]).total_seconds()
    assert f"online             ds={BASE} serves, 3 users, refreshed {TEN}" in lines
    assert (
        f"last refresh       {TEN}, 14 events of 2 users readable {waited:,.0f} s after the last of 2 files landed"
    ) in lines


def find(monkeypatch: pytest.MonkeyPatch, hour: str) -> None:
    monkeypatch.setattr(sys, "argv", ["pipeline", "base-night", "--hour", hour])
    cli.main()


def test_the_base_of_an_hour(home: Settings, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """No night at all, a night of before, the night of the day; and what is no hour."""
    with pytest.raises(NotPublishedError, match=f"expected a night before {DAY} to go on from"):
        find(monkeypatch, TEN)
    publish_night(home, DAY)
    with pytest.raises(SystemExit, match="3"):
        find(monkeypatch, TEN)
    assert f"nothing to do, user_features ds={DAY} is published" in capsys.readouterr().out
    for text in ("2024-03-05", "2024-03-05T24", "2999-01-01T00"):
        with pytest.raises(UsageError, match=r"^hour: expected"):
            find(monkeypatch, text)
