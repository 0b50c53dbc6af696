"""Fences come from one counter, and say which of two attempts began later whatever clocks say."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.runtime.errors import FencedError, StagingError
from pipeline.runtime.settings import Settings
from pipeline.storage import provenance, staging
from pipeline.storage.fences import next_fence
from pipeline.storage.publish import publish
from pipeline.storage.reading import published, read
from pipeline.storage.rollback import rollback
from pipeline.tables.registry import ACCOUNTING
from tests.unit.pipeline.rows import publish_accounting, stage_accounting

DS = "2026-03-01"


def test_each_number_is_given_out_once(home: Settings) -> None:
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda _: next_fence(home), range(64)))
    assert len(set(numbers)) == 64


def test_a_clock_that_is_set_back_lets_no_older_attempt_win(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    stage_accounting(home, "first", {DS: 1})
    monkeypatch.setattr("time.time_ns", lambda: 0)
    stage_accounting(home, "second", {DS: 2})
    publish(home, ACCOUNTING, "second")
    with pytest.raises(FencedError, match="began later"):
        publish(home, ACCOUNTING, "first")


def test_a_clock_that_jumped_ahead_blocks_no_correction(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    now, year = time.time(), 365 * 86_400
    monkeypatch.setattr("time.time", lambda: now + year)
    monkeypatch.setattr("time.time_ns", lambda: int((now + year) * 1e9))
    publish_accounting(home, "first", {DS: 1})
    monkeypatch.setattr("time.time", lambda: now)
    monkeypatch.setattr("time.time_ns", lambda: int(now * 1e9))
    for rows in (2, 3):
        publish_accounting(home, f"correction-{rows}", {DS: rows})
        assert (published(ACCOUNTING.name, home)[DS].rows, read("accounting", DS, home).num_rows) == (rows, rows)
    rollback(home, ACCOUNTING, DS)
    assert published(ACCOUNTING.name, home)[DS].rows == 2  # the one before, not the one with the greatest time


def test_a_zombie_does_not_take_the_pointer_back(home: Settings) -> None:
    zombie = staging.begin(home, ACCOUNTING.name, "r")
    stage_accounting(home, "r", {DS: 2})
    with pytest.raises(StagingError, match=r"an attempt that began later .* which is left out; nothing is to be done"):
        staging.complete(zombie, [DS], {})
    assert publish(home, ACCOUNTING, "r")[DS].rows == 2


def test_equal_content_advances_the_fence(home: Settings) -> None:
    publish_accounting(home, "first", {DS: 1})
    stage_accounting(home, "zombie", {DS: 3})
    assert publish_accounting(home, "again", {DS: 1}) == {}
    with pytest.raises(FencedError, match="began later"):
        publish(home, ACCOUNTING, "zombie")
    assert published(ACCOUNTING.name, home)[DS].rows == 1


def test_a_run_goes_on_with_a_catalogue_of_before(home: Settings) -> None:
    publish_accounting(home, "old", {DS: 1})
    shutil.copy(home.home / "catalog.db", home.home / "backup.db")
    for _ in range(5):
        stage_accounting(home, "r", {DS: 2})
    (home.home / "backup.db").replace(home.home / "catalog.db")
    stage_accounting(home, "r", {DS: 3})
    assert publish(home, ACCOUNTING, "r")[DS].rows == 3


def test_parts_that_two_models_scored_are_not_published_together(home: Settings) -> None:
    for part, model in (("bucket-0", "1"), ("bucket-1", "2")):
        staging.complete(staging.begin(home, ACCOUNTING.name, "r", part, model=model), [DS], {})
    found = {it.part: it.attempt for it in staging.current(home, ACCOUNTING.name, "r")}
    day: dict[str, dict[str, object]] = {DS: {"rows": 0, "digest": "0"}}
    staging.write_receipt(home, staging.Receipt(ACCOUNTING.name, "r", found, day, 0.0))
    with pytest.raises(FencedError, match=r'bucket-0.*"model": "1".*bucket-1.*"model": "2".*all parts again'):
        publish(home, ACCOUNTING, "r")
    staging.complete(staging.begin(home, ACCOUNTING.name, "r", "bucket-0", model="2"), [DS], {})
    found = {it.part: it.attempt for it in staging.current(home, ACCOUNTING.name, "r")}
    staging.write_receipt(home, staging.Receipt(ACCOUNTING.name, "r", found, day, 0.0))
    publish(home, ACCOUNTING, "r")
    (entry,) = provenance.entries(home, [ACCOUNTING.name]).values()
    assert entry.recipe["model"] == "2"
