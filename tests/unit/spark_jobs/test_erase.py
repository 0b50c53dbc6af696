"""A person is erased from a home that real jobs filled, and stays away."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from pipeline.erasure.erase import erase
from pipeline.erasure.landed_search import LandedRecord, is_regular
from pipeline.erasure.record import Record
from pipeline.features.online import open_store
from pipeline.runtime.errors import ErasureError, FencedError, NotPublishedError, UsageError
from pipeline.runtime.settings import Settings
from pipeline.storage.maintenance import maintain
from pipeline.storage.publish import publish
from pipeline.storage.reading import read
from pipeline.storage.rollback import rollback
from pipeline.tables.registry import table_named
from spark_jobs.landing.records_of import find_landed
from tests.unit.pipeline.staged_factory import SOUND, pass_audit, stage
from tests.unit.spark_jobs.erasable import ANNA, BOB, ONE, TABLES, TWO, files_below, land_days, lived_in, user
from tests.unit.spark_jobs.landed_shop import rows_of, run_clean, run_ingest

__all__ = ["lived_in"]
pytestmark = pytest.mark.spark
LOG = ("raw_events", "events", "quarantine", "accounting")


def erase_anna(home: Settings) -> Record:
    return erase(home, [f"shop:{ANNA}"], "she asked", lambda line: None)


def test_nothing_is_left_and_the_others_stay(lived_in: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole story in one home: filling it takes most of the time."""
    home, anna, bob = lived_in, user(lived_in, ANNA), user(lived_in, BOB)
    before = {name: _rows_of_user(name, bob) for name in (*TABLES, *LOG[:3])}
    record = erase_anna(home)
    assert record.finished and record.fingerprints and record.in_doubt == []

    # By a search of its own: whole files as bytes, gzip and Parquet by their content.
    assert [path for path in files_below(home.home) if _tells(path, (anna, ANNA))] == []
    assert {name: _rows_of_user(name, bob) for name in before} == before

    # Her rows still count as landed: three on the first day, one on the second.
    reasons = [(r["reason"], r["rows"]) for r in _accounting(ONE)["quarantine_reasons"]]
    assert reasons == [("erased", 3)]
    counts = ("rows_landed", "events", "duplicates", "quarantined")
    assert [_accounting(ONE)[name] for name in counts] == [5, 2, 0, 3]
    assert [_accounting(TWO)[name] for name in counts] == [2, 1, 0, 1]

    assert open_store(home).get([anna, bob])[0] is None
    assert open_store(home).get([bob])[0]["ds"] == TWO
    log = (home.home / "logs/night/score.log").read_text()
    assert log == f"user {'*' * 32} ({'*' * 14}), user {bob} (shop:{BOB})\n"
    with pytest.raises(NotPublishedError):
        rollback(home, table_named("events"), ONE)

    # The same files again: what ingest and clean make of them is what erasing left.
    after = {name: rows_of(name) for name in LOG}
    run_ingest(monkeypatch, ONE, TWO)
    run_clean(monkeypatch, ONE, TWO)
    rerun = {name: rows_of(name) for name in LOG}
    assert rerun == after
    # The platform delivers them whole once more.
    land_days(home)
    run_ingest(monkeypatch, ONE, TWO)
    run_clean(monkeypatch, ONE, TWO)
    assert {row for (row,) in rows_of("raw_events", "account_id")} == {None, bob}
    assert _accounting(ONE)["quarantined"] == 3
    maintain(home)
    assert len(rows_of("events")) == 3


@pytest.fixture
def in_this_process(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Landing is searched in the tests' own session: starting another takes 10 s each time."""

    def find(settings: Settings, users: set[str], names: set[str], addresses: Iterable[str] = ()) -> list[LandedRecord]:
        there = {name for name in names if is_regular(settings.landing / name)}
        found = find_landed(spark, settings, sorted(users), there, sorted(addresses))
        return [LandedRecord(**record) for record in found]

    monkeypatch.setattr("pipeline.erasure.landed_search.find_records", find)


def test_cut_off_anywhere_it_is_finished_by_the_next(
    lived_in: Settings, in_this_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = lived_in
    for step in ("renew_quarantine", "renew_accounting", "forget_snapshots", "erase_online"):
        with monkeypatch.context() as cut:
            cut.setattr(f"pipeline.erasure.erase.{step}", _fail)
            with pytest.raises(RuntimeError, match="cut off"):
                erase_anna(home)
        assert _record(home).finished == ""
    assert erase_anna(home).finished
    assert len(list((home.home / "erasures").glob("*.json"))) == 1
    assert [path for path in files_below(home.home) if _tells(path, (user(home, ANNA), ANNA))] == []
    assert _accounting(ONE)["quarantined"] == 3
    again = erase_anna(home)
    assert again.finished and not again.rows


def test_a_run_that_began_before_cannot_bring_her_back(lived_in: Settings, in_this_process: None) -> None:
    """It had read her rows, and stages and publishes after the erasure."""
    home, table = lived_in, table_named("user_history")
    erase_anna(home)
    rows = [{**SOUND["user_history"], "ds": TWO, "user_id": user(home, it)} for it in (ANNA, BOB)]
    manifest = stage(home, "user_history", {TWO: rows}, run="late")
    pass_audit(home, manifest)
    with pytest.raises(FencedError, match="row of an erased person"):
        publish(home, table, "late")
    assert len(_rows_of_user("user_history", user(home, ANNA))) == 0
    assert not [path for path in files_below(home.staging) if _tells(path, (user(home, ANNA),))]


def test_unknown_and_mistyped_users(home: Settings) -> None:
    with pytest.raises(ErasureError, match="user shop:nobody: expected rows in some table"):
        erase(home, ["shop:nobody"], "", lambda line: None)
    with pytest.raises(UsageError, match="expected a user_id or <platform>:<raw id>, found 'anna'"):
        erase(home, ["anna"], "", lambda line: None)
    assert not (home.home / "erasures" / "suppressed.txt").exists()


def _fail(*arguments: object) -> None:
    raise RuntimeError("cut off")


def _record(home: Settings) -> Record:
    (path,) = (home.home / "erasures").glob("*.json")
    return Record(**json.loads(path.read_text()))


def _rows_of_user(name: str, who: str) -> list[dict[str, object]]:
    return sorted(
        (row for row in read(name).to_pylist() if who in (row.get("user_id"), row.get("account_id"))), key=str
    )


def _accounting(ds: str) -> dict[str, object]:
    (row,) = read("accounting", ds).to_pylist()
    return row


def _tells(path: Path, names: tuple[str, ...]) -> bool:
    if path.suffix == ".parquet":
        content = str(pq.read_table(path).to_pydict())
    elif path.suffix == ".gz":
        content = gzip.decompress(path.read_bytes()).decode()
    else:
        content = path.read_bytes().decode("latin-1")
    return any(name in content for name in names)
