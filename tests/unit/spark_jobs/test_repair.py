"""Late, corrected and vanished files: what is stale says so, and a repair ends in the rows of a fresh home."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pipeline.erasure.erase import erase
from pipeline.erasure.landed_search import LandedRecord
from pipeline.orchestration.steps import DERIVE, LAND
from pipeline.runtime.errors import FencedError, StaleError
from pipeline.runtime.settings import Settings
from pipeline.storage.lineage import Lineage
from pipeline.storage.unpublish import unpublish
from pipeline.tables.registry import USER_HISTORY
from spark_jobs.landing.records_of import find_landed
from tests.unit.spark_jobs.kept_home import KeptHome, contents, fresh_contents, rows
from tests.unit.spark_jobs.landed_shop import HEADER, TOML, land, open_shop

pytestmark = pytest.mark.spark
DAYS = [f"2011-03-0{day}" for day in range(1, 5)]
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
    kept = contents(shop.settings)
    last = max(ds for _, ds in kept)
    fresh = fresh_contents(shop.settings, DAYS[0], last, tmp_path / "fresh", monkeypatch)
    assert kept == {key: fresh[key] for key in kept}
    assert {ds for table, ds in kept if table == "events"} == {ds for table, ds in fresh if table == "events"}


def test_a_day_that_lands_late(shop: KeptHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A purchase that stands in the files of two days.
    again = line("ann", DAYS[1], 12, "purchase")
    land(shop.settings, f"shop/{DAYS[0]}/0.csv", log(DAYS[0]))
    land(shop.settings, f"shop/{DAYS[2]}/0.csv", log(DAYS[2]) + again)
    shop.night(DAYS[0])
    shop.night(DAYS[2])
    land(shop.settings, f"shop/{DAYS[1]}/0.csv", log(DAYS[1]) + line("cat", DAYS[1]) + again)
    assert f"raw_events ds={DAYS[1]}: landed, never loaded" in shop.stale()
    shop.night(DAYS[1])
    found = shop.stale()
    assert any(it.startswith(f"events ds={DAYS[2]}: raw_events ds={DAYS[1]} was published since") for it in found)
    assert any(it.startswith(f"user_history ds={DAYS[2]}: ") for it in found)
    land(shop.settings, f"shop/{DAYS[3]}/0.csv", log(DAYS[3]))
    with pytest.raises(StaleError, match=f"ds={DAYS[2]}: .*repair --to {DAYS[2]}"):
        shop.night(DAYS[3])
    shop.repair()
    shop.night(DAYS[3])
    assert_as_fresh(shop, tmp_path, monkeypatch)
    users = rows(shop.settings, "user_history", DAYS[3])
    assert len(users) == 3
    purchases = [e for user in users for e in user["events"] if e["event_type"] == "purchase"]
    assert len(purchases) == 1


def test_corrected_added_and_repeated_files(
    shop: KeptHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for ds in DAYS[:3]:
        more = "".join(line(f"user{number}", ds) for number in range(8))
        land(shop.settings, f"shop/{ds}/0.csv", log(ds) + more)
    shop.night(DAYS[0], DAYS[2])
    (shop.settings.landing / "shop" / DAYS[0] / "0.csv").touch()
    assert shop.stale() == []
    # The same events once more: the raw rows differ, the events do not, and nothing behind them is made again.
    land(shop.settings, f"shop/{DAYS[0]}/1.csv", log(DAYS[0]))
    capsys.readouterr()
    assert shop.repair() == [f"land {DAYS[0]}..{DAYS[2]}", f"derive {DAYS[0]}..{DAYS[2]}"]
    assert "accumulate" not in capsys.readouterr().out  # titles may lie in raw rows, histories are of events
    corrected = (shop.settings.landing / f"shop/{DAYS[1]}/0.csv").read_text().replace("ann,view", "ann,cart")
    land(shop.settings, f"shop/{DAYS[1]}/0.csv", corrected)
    land(shop.settings, f"shop/{DAYS[2]}/1.csv", HEADER + line("dan", DAYS[2]))
    found = shop.stale()
    assert f"raw_events ds={DAYS[1]}: shop/{DAYS[1]}/0.csv changed since it was read" in found
    assert f"raw_events ds={DAYS[2]}: shop/{DAYS[2]}/1.csv landed since" in found
    assert any(it.startswith(f"user_history ds={DAYS[2]}: made from ") for it in found)
    shop.repair()
    assert "user_history: 2 users are made again, the others copied" in capsys.readouterr().out
    assert_as_fresh(shop, tmp_path, monkeypatch)


def test_rows_of_a_purged_file_stay_unless_it_is_asked_for(shop: KeptHome) -> None:
    first = land(shop.settings, f"shop/{DAYS[0]}/0.csv", log(DAYS[0]))
    shop.release(LAND, shop.stage(LAND, DAYS[0], DAYS[0]))
    first.unlink()
    assert Lineage(shop.settings).landing_changes()[DAYS[0]].vanished == (f"shop/{DAYS[0]}/0.csv",)
    land(shop.settings, f"shop/{DAYS[0]}/1.csv", HEADER + line("eve", DAYS[0]))
    assert shop.repair() == [f"land {DAYS[0]}"]
    assert len(rows(shop.settings, "raw_events", DAYS[0])) == 3
    assert [row["path"] for row in rows(shop.settings, "landed_files", DAYS[0])] == [
        f"shop/{DAYS[0]}/0.csv",
        f"shop/{DAYS[0]}/1.csv",
    ]
    shop.monkeypatch.setenv("TIDEMARK_FORGET_VANISHED", "true")
    forgetful = KeptHome(shop.monkeypatch)
    forgetful.repair()
    assert len(rows(forgetful.settings, "raw_events", DAYS[0])) == 1


def test_inputs_that_have_moved_or_gone(shop: KeptHome) -> None:
    for ds in DAYS[:2]:
        land(shop.settings, f"shop/{ds}/0.csv", log(ds))
    shop.night(DAYS[0])
    shop.release(LAND, shop.stage(LAND, DAYS[1], DAYS[1]))
    old = shop.stage(DERIVE, DAYS[1], DAYS[1])
    land(shop.settings, f"shop/{DAYS[1]}/0.csv", log(DAYS[1]) + line("cat", DAYS[1]))
    shop.release(LAND, shop.stage(LAND, DAYS[1], DAYS[1]))
    with pytest.raises(FencedError, match=f"rows of events ds={DAYS[1]} that are not the published ones"):
        shop.release(DERIVE, old)
    shop.release(DERIVE, shop.stage(DERIVE, DAYS[1], DAYS[1]))
    assert shop.stale() == []
    unpublish(shop.settings, USER_HISTORY, DAYS[0])
    assert shop.stale() == [f"user_history ds={DAYS[1]}: user_history ds={DAYS[0]} is not published any more"]


def test_an_erasure_leaves_nothing_stale_and_the_rows_of_a_fresh_home(
    shop: KeptHome, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(settings: Settings, users: set[str], names: set[str], addresses: Iterable[str] = ()) -> list[LandedRecord]:
        found = find_landed(spark, settings, sorted(users), set(names), sorted(addresses))
        return [LandedRecord(**it) for it in found]

    monkeypatch.setattr("pipeline.erasure.landed_search.find_records", find)
    rows_of_map = "shop,ann,p,2011-03-02\nshop,bob,q,2011-03-02\nshop,cat,q,2011-03-02\n"
    (shop.settings.landing / "identity.csv").write_text(f"platform,raw_id,person_id,since\n{rows_of_map}")
    for ds in DAYS[:2]:
        land(shop.settings, f"shop/{ds}/0.csv", log(ds) + line("cat", ds))
        shop.night(ds)
    erase(shop.settings, ["shop:ann"], "asked", print)
    assert shop.stale() == []
    assert_as_fresh(shop, tmp_path, monkeypatch)
