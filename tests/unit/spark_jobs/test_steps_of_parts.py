"""Jobs of several parts: the same rows as part by part, each part with its own inputs."""

import sys
import time
from collections.abc import Callable

import pytest
from pyspark.sql import SparkSession

from pipeline.orchestration.steps import CLEAN, DERIVE, INGEST, LAND
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage import reading, staging
from pipeline.storage.release import release
from pipeline.tables.registry import LANDED_FILES, table_named
from spark_jobs import derive_days, land_days
from tests.unit.spark_jobs.landed_shop import HEADER, land, open_shop, rows_of, run_clean, run_ingest

pytestmark = pytest.mark.spark
DAYS = ("2011-03-01", "2011-03-02")
LINES = {
    DAYS[
        0
    ]: "ann,view,a,2011-03-01 10:00:00,\nann,view,a,2011-03-01 10:00:00,\nbob,purchase,b,2011-03-01 11:00:00,2.5\n",
    # A row of the day before once more, and one that maps to no event.
    DAYS[1]: "ann,view,a,2011-03-01 10:00:00,\nbob,view,a,2011-03-02 09:00:00,\nbob,sneeze,a,2011-03-02 09:00:00,\n",
}


@pytest.fixture
def shop(home: Settings) -> Settings:
    open_shop(home)
    for ds in DAYS:
        land(home, f"shop/{ds}.csv", HEADER + LINES[ds])
    return home


def run_job(main: Callable[[], None], monkeypatch: pytest.MonkeyPatch, *arguments: str, run: str = "") -> str:
    run = run or f"test-{time.time_ns()}"
    monkeypatch.setattr(sys, "argv", ["job", *arguments, "--run", run])
    main()
    return run


def release_all(run: str, tables: tuple[str, ...]) -> None:
    release(load_settings(), [table_named(name) for name in tables], run)


def landed() -> dict[str, list[tuple[object, ...]]]:
    """All rows but those of the ledger, which tell runs apart."""
    return {table: rows_of(table) for table in LAND.writes if table != LANDED_FILES.name}


def unpublish_all(settings: Settings) -> None:
    """An empty catalogue over the same landing folder."""
    (settings.home / "catalog.db").unlink()


def test_landing_in_one_session_gives_the_rows_of_ingest_and_clean(
    spark: SparkSession, shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ds in DAYS:
        run_ingest(monkeypatch, ds, ds)
        run_clean(monkeypatch, ds, ds)
    expected = landed()
    assert rows_of("accounting", "ds", "rows_landed", "events", "duplicates", "quarantined") == [
        (DAYS[0], 3, 2, 1, 0),
        (DAYS[1], 3, 1, 1, 1),
    ]
    unpublish_all(shop)
    for ds in DAYS:
        release_all(run_job(land_days.main, monkeypatch, "--ds", ds), LAND.writes)
    assert landed() == expected
    unpublish_all(shop)
    release_all(run_job(land_days.main, monkeypatch, "--from", DAYS[0], "--to", DAYS[1]), LAND.writes)
    assert landed() == expected


def test_what_is_landed_is_published_by_the_release_alone_and_a_retry_goes_on(
    spark: SparkSession, shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_job(land_days.main, monkeypatch, "--ds", DAYS[0])
    assert not any(reading.published(table, shop) for table in LAND.writes)
    release_all(run, INGEST.writes)  # the release died half-way; the step is cleared
    first = reading.published("raw_events", shop)
    assert run_job(land_days.main, monkeypatch, "--ds", DAYS[0], run=run) == run
    release_all(run, LAND.writes)
    assert reading.published("raw_events", shop) == first
    done = {table: reading.published(table, shop) for table in LAND.writes}
    release_all(run_job(land_days.main, monkeypatch, "--ds", DAYS[0]), LAND.writes)
    assert {table: reading.published(table, shop) for table in LAND.writes} == done


def test_parts_after_the_last_wanted_are_left_out(
    spark: SparkSession, shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_job(land_days.main, monkeypatch, "--ds", DAYS[0], "--until", "ingest")
    assert [table for table in LAND.writes if (shop.staging / table / run).exists()] == list(INGEST.writes)


def test_every_part_records_the_inputs_that_it_declares(
    spark: SparkSession, shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs: dict[str, set[str]] = {}
    for ds in DAYS:
        for main, step in ((land_days.main, LAND), (derive_days.main, DERIVE)):
            run = run_job(main, monkeypatch, "--ds", ds)
            for part in step.parts:
                for table in part.writes:
                    [manifest] = staging.current(shop, table, run)
                    inputs[part.name] = set(manifest.inputs)
            release_all(run, step.writes)
    assert inputs == {part.name: set(part.reads) for step in (LAND, DERIVE) for part in step.parts}
    assert inputs[CLEAN.name] == {"raw_events"}
