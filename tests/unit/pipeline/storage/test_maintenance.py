"""Maintenance: what nobody can reach goes after the retention time, everything else stays."""

import os
import time
from pathlib import Path

import pytest

from pipeline.commands.maintenance import print_maintenance
from pipeline.erasure.data_files import same_file
from pipeline.runtime.settings import Settings
from pipeline.storage import maintenance, staging
from pipeline.storage import rollback as rolling_back
from pipeline.storage.catalog import load_table
from pipeline.storage.maintenance import Done, maintain, pause
from pipeline.storage.publish import publish
from pipeline.storage.reading import read
from pipeline.tables.registry import ACCOUNTING, TABLES
from tests.unit.pipeline.rows import publish_accounting
from tests.unit.pipeline.staged_factory import SOUND, pass_audit, stage

DAY = "2011-11-09"


def age(folder: Path, days: float) -> None:
    """Lets every file below `folder` be as old as that."""
    then = time.time() - days * 86_400
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


def data_files(settings: Settings) -> int:
    return len(list((settings.staging / "accounting").rglob("*.parquet")))


def test_nothing_young_is_touched(home: Settings) -> None:
    for rows in (1, 2):
        publish_accounting(home, f"run-{rows}", {DAY: rows})
    assert maintain(home)["accounting"] == Done()
    assert data_files(home) == 2


def test_a_table_of_empty_days_alone_is_looked_after(home: Settings) -> None:
    """Its snapshots hold no file at all."""
    publish_accounting(home, "nothing", {DAY: 0})
    assert maintain(home)["accounting"] == Done()
    assert read("accounting", DAY, home).num_rows == 0


def test_an_old_attempt_that_nobody_published_goes(home: Settings) -> None:
    publish_accounting(home, "published", {DAY: 2})
    attempt = staging.begin(home, "accounting", "died")
    (attempt.path / "half.parquet").write_bytes(b"PAR1")
    age(home.staging, days=31)
    maintain(home)
    assert not attempt.path.exists()
    assert read("accounting", DAY, home).num_rows == 2


def test_files_of_kept_snapshots_stay_however_old(home: Settings) -> None:
    for rows in (1, 2):
        publish_accounting(home, f"run-{rows}", {DAY: rows})
    age(home.staging, days=31)
    age(home.warehouse, days=31)
    maintain(home)
    assert data_files(home) == 2  # the replaced one belongs to a snapshot of today
    assert read("accounting", DAY, home).num_rows == 2


def test_copies_of_old_files_are_young(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maintenance between copying and publishing would take them for orphans."""
    for rows in (1, 2):
        publish_accounting(home, f"run-{rows}", {DAY: rows})
    age(home.staging, days=31)
    commit = rolling_back.commit
    monkeypatch.setattr(rolling_back, "commit", lambda *it: (maintain(home), commit(*it))[1])
    rolling_back.rollback(home, ACCOUNTING, DAY)
    assert read("accounting", DAY, home).num_rows == 1
    (kept,) = (home.staging / "accounting" / "run-1").rglob("*.parquet")
    age(home.staging, days=31)
    same = Path(same_file(str(kept), home.staging / "accounting" / "erasure" / DAY))
    assert time.time() - same.stat().st_mtime < 3_600


def test_files_of_expired_snapshots_go(home: Settings) -> None:
    for rows in (1, 2):
        publish_accounting(home, f"run-{rows}", {DAY: rows})
    age(home.staging, days=31)
    age(home.warehouse, days=31)
    iceberg = load_table(home, ACCOUNTING)
    assert iceberg is not None
    old = [it.snapshot_id for it in iceberg.snapshots()][:-1]
    iceberg.maintenance.expire_snapshots().by_ids(old).commit()
    assert maintain(home)["accounting"].files > 0
    assert data_files(home) == 1
    assert read("accounting", DAY, home).num_rows == 2


def test_tables_of_the_hour_keep_two_days(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = [staging.begin(home, name, "died") for name in ("accounting", "intraday_refreshes")]
    for attempt in attempts:
        (attempt.path / "half.parquet").write_bytes(b"PAR1")
    age(home.staging, days=3)
    maintain(home)
    assert [attempt.path.exists() for attempt in attempts] == [True, False]

    row = SOUND["intraday_refreshes"]
    for run in ("r1", "r2"):
        rows = [{**row, "run": run}]
        pass_audit(home, stage(home, "intraday_refreshes", {str(row["ds"]): rows}, run))
        publish(home, TABLES["intraday_refreshes"], run)
        publish_accounting(home, run, {DAY: len(run) + int(run[1])})
    monkeypatch.setattr(maintenance, "HOURLY_DAYS", 0)
    done = maintain(home)
    assert done["accounting"].snapshots == 0 < done["intraday_refreshes"].snapshots
    assert read("intraday_refreshes", str(row["ds"]), home)["run"].to_pylist() == ["r2"]


def test_a_clock_that_jumped_ahead_takes_nothing_that_is_live(
    home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for rows in (1, 2):
        publish_accounting(home, f"run-{rows}", {DAY: rows})
    attempts = [staging.begin(home, name, "under-way") for name in ("accounting", "intraday_refreshes")]
    for attempt in attempts:
        (attempt.path / "half.parquet").write_bytes(b"PAR1")
    now, year = time.time(), 365 * 86_400
    monkeypatch.setattr("time.time", lambda: now + year)
    print_maintenance(home, older_catalogue=False)
    assert "nothing was published for 365 days by this machine's clock" in capsys.readouterr().out
    assert all((attempt.path / "half.parquet").exists() for attempt in attempts)
    rolling_back.rollback(home, ACCOUNTING, DAY)  # which is a publication by that clock
    assert read("accounting", DAY, home).num_rows == 1
    assert maintain(home)["accounting"] == Done()
    assert all((attempt.path / "half.parquet").exists() for attempt in attempts)
    monkeypatch.setattr("time.time", lambda: now)
    assert maintain(home)["accounting"] == Done()


@pytest.mark.parametrize(
    ("times", "longest"),
    [
        pytest.param([100], 0, id="a home without a publication"),
        pytest.param([60, 100], 40, id="nothing since"),
        pytest.param([60, 99, 100], 39, id="since the jump one night"),
        pytest.param([10, 60, 71, 85, 100], 15, id="the pause ended long ago"),
        pytest.param([99, 465, 100], 1, id="the clock was set back"),
    ],
)
def test_the_pause_that_a_clock_may_have_jumped_over(times: list[float], longest: float) -> None:
    assert pause(times, 30) == longest
