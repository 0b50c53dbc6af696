"""Late, corrected and vanished files: what is stale says so, and a repair ends in the rows of a fresh home."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pipeline.orchestration.steps import DERIVE, LAND
from pipeline.runtime.errors import FencedError, StaleError
from pipeline.runtime.settings import Settings
from pipeline.storage.lineage import Lineage
from pipeline.storage.unpublish import unpublish
from pipeline.tables.registry import USER_HISTORY
from tests.unit.spark_jobs.kept_home import KeptHome, contents, fresh_contents, rows
from tests.unit.spark_jobs.landed_shop import HEADER, TOML, land, open_shop

pytestmark = pytest.mark.spark
DAYS = [f"2011-03-0{day}" for day in range(1, 6)]
FILES = 'path = "shop/{ds}/*.csv"'


def line(who: str, ds: str, hour: int = 10, what: str = "view", item: str = "a") -> str:
    return f"{who},{what},{item},{ds} {hour:02}:00:00,{2 if what == 'purchase' else ''}\n"


def log(ds: str) -> str:
    return HEADER + line("ann", ds) + line("bob", ds, 11, item="b")


@pytest.fixture
def shop(spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch) -> KeptHome:
    open_shop(home, TOML.replace('path = "shop/{ds}*"', FILES).replace("max_late_days = 3", "max_late_days = 5"))
    return KeptHome(monkeypatch)


def assert_as_fresh(shop: KeptHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is stale, and every partition is what a fresh home makes of the files."""
    assert shop.stale() == []
    fresh = fresh_contents(shop.settings, DAYS[0], DAYS[-1], tmp_path / "fresh", monkeypatch)
    kept = contents(shop.settings)
    assert kept == {key: fresh[key] for key in kept}
    assert {ds for table, ds in kept if table == "events"} == {ds for table, ds in fresh if table == "events"}


def test_a_day_that_lands_late(shop: KeptHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for ds in DAYS:
        land(shop.settings, f"shop/{ds}/0.csv", log(ds))
    late = land(shop.settings, f"shop/{DAYS[2]}/0.csv", log(DAYS[2]) + line("cat", DAYS[2]))
    # A purchase that stands in the files of two days.
    again = line("ann", DAYS[2], 12, "purchase")
    late.write_text(late.read_text() + again)
    land(shop.settings, f"shop/{DAYS[3]}/0.csv", log(DAYS[3]) + again)
    waiting = late.read_bytes()
    late.unlink()
    for ds in (DAYS[0], DAYS[1], DAYS[3]):
        shop.night(ds)
    late.write_bytes(waiting)
    assert f"raw_events ds={DAYS[2]}: landed, never loaded" in shop.stale()
    shop.night(DAYS[2])
    found = shop.stale()
    assert any(it.startswith(f"events ds={DAYS[3]}: raw_events ds={DAYS[2]} was published since") for it in found)
    assert any(it.startswith(f"user_history ds={DAYS[3]}: ") for it in found)
    with pytest.raises(StaleError, match=f"ds={DAYS[3]}: .*repair --to {DAYS[3]}"):
        shop.night(DAYS[4])
    shop.repair()
    shop.night(DAYS[4])
    assert_as_fresh(shop, tmp_path, monkeypatch)
    users = rows(shop.settings, "user_history", DAYS[4])
    assert len(users) == 3
    purchases = [e for user in users for e in user["events"] if e["event_type"] == "purchase"]
    assert len(purchases) == 1


def test_a_corrected_file_and_one_more_of_a_day(
    shop: KeptHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ds in DAYS:
        land(shop.settings, f"shop/{ds}/0.csv", log(ds))
    shop.night(DAYS[0], DAYS[3])
    shop.night(DAYS[4])
    assert shop.stale() == []
    land(shop.settings, f"shop/{DAYS[1]}/0.csv", HEADER + line("ann", DAYS[1], 15, "cart"))
    land(shop.settings, f"shop/{DAYS[2]}/1.csv", HEADER + line("dan", DAYS[2]))
    found = shop.stale()
    assert f"raw_events ds={DAYS[1]}: shop/{DAYS[1]}/0.csv changed since it was read" in found
    assert f"raw_events ds={DAYS[2]}: shop/{DAYS[2]}/1.csv landed since" in found
    assert any(it.startswith(f"user_history ds={DAYS[4]}: made from ") for it in found)
    shop.repair()
    assert_as_fresh(shop, tmp_path, monkeypatch)


def test_what_comes_out_equal_cuts_the_rest_off(shop: KeptHome) -> None:
    for ds in DAYS[:3]:
        land(shop.settings, f"shop/{ds}/0.csv", log(ds))
    shop.night(DAYS[0], DAYS[2])
    # The same event once more: the raw rows differ, the events do not.
    land(shop.settings, f"shop/{DAYS[0]}/1.csv", log(DAYS[0]))
    made = shop.repair()
    assert made == [f"land {DAYS[0]}..{DAYS[2]}"]
    assert shop.stale() == []


def test_touching_a_file_makes_nothing_stale(shop: KeptHome) -> None:
    path = land(shop.settings, f"shop/{DAYS[0]}/0.csv", log(DAYS[0]))
    shop.night(DAYS[0])
    path.touch()
    assert shop.stale() == []


def test_rows_of_a_purged_file_stay_unless_it_is_asked_for(shop: KeptHome) -> None:
    first = land(shop.settings, f"shop/{DAYS[0]}/0.csv", log(DAYS[0]))
    shop.night(DAYS[0])
    first.unlink()
    assert shop.stale() == []
    assert Lineage(shop.settings).landing_changes()[DAYS[0]].vanished == (f"shop/{DAYS[0]}/0.csv",)
    land(shop.settings, f"shop/{DAYS[0]}/1.csv", HEADER + line("eve", DAYS[0]))
    shop.repair()
    assert len(rows(shop.settings, "raw_events", DAYS[0])) == 3
    assert [row["path"] for row in rows(shop.settings, "landed_files", DAYS[0])] == [
        f"shop/{DAYS[0]}/0.csv",
        f"shop/{DAYS[0]}/1.csv",
    ]
    monkeypatch = shop.monkeypatch
    monkeypatch.setenv("TIDEMARK_FORGET_VANISHED", "true")
    forgetful = KeptHome(monkeypatch)
    forgetful.repair()
    assert len(rows(forgetful.settings, "raw_events", DAYS[0])) == 1
    assert len(rows(forgetful.settings, "user_history", DAYS[0])) == 1


def test_an_attempt_whose_inputs_have_moved_is_refused(shop: KeptHome) -> None:
    for ds in DAYS[:2]:
        land(shop.settings, f"shop/{ds}/0.csv", log(ds))
    shop.night(DAYS[0])
    shop.release(LAND, shop.stage(LAND, DAYS[1], DAYS[1]))
    old = shop.stage(DERIVE, DAYS[1], DAYS[1])
    land(shop.settings, f"shop/{DAYS[1]}/0.csv", log(DAYS[1]) + line("cat", DAYS[1]))
    shop.release(LAND, shop.stage(LAND, DAYS[1], DAYS[1]))
    with pytest.raises(FencedError, match=f"rows of events ds={DAYS[1]} that are not the published ones"):
        shop.release(DERIVE, old)


def test_what_stands_on_an_unpublished_day_is_stale(shop: KeptHome) -> None:
    for ds in DAYS[:2]:
        land(shop.settings, f"shop/{ds}/0.csv", log(ds))
        shop.night(ds)
    unpublish(shop.settings, USER_HISTORY, DAYS[0])
    assert shop.stale() == [
        f"user_history ds={DAYS[1]}: user_history ds={DAYS[0]} is not published any more",
    ]
    shop.repair()
    assert shop.stale() == []
