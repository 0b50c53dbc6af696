"""Audit, then publish, in one process: what a failure keeps back, and which exit code says so."""

import sys

import pytest

from pipeline.commands import cli
from pipeline.orchestration.step_commands import AUDIT_FAILED
from pipeline.runtime import program
from pipeline.runtime.errors import AuditError
from pipeline.runtime.settings import Settings
from pipeline.storage.audit import data_docs
from pipeline.storage.reading import published
from pipeline.storage.release import release
from pipeline.tables.registry import table_named
from tests.unit.pipeline import staged_factory as factory
from tests.unit.pipeline.staged_factory import DAY, event, stage

TABLES = ("raw_events", "events", "quarantine", "accounting")
RELEASED = [table_named(name) for name in TABLES]


def stage_landed(settings: Settings, run: str = "r1", landed: int = 6) -> None:
    """What `land` stages: 6 rows landed = 3 events + 1 duplicate + 2 quarantined."""
    raw = [{**factory.SOUND["raw_events"], "source_file": f"{n}.csv"} for n in range(landed)]
    stage(settings, "raw_events", {DAY: raw}, run=run)
    stage(settings, "events", {DAY: [event(n) for n in range(3)]}, run=run)
    stage(
        settings,
        "quarantine",
        {DAY: [{**factory.SOUND["quarantine"], "source_file": f"{n}.csv"} for n in range(2)]},
        run=run,
    )
    stage(settings, "accounting", {DAY: [factory.SOUND["accounting"]]}, run=run)


def runs(settings: Settings) -> dict[str, str]:
    """Who published the day, by table."""
    return {name: days[DAY].run for name in TABLES if DAY in (days := published(name, settings))}


def test_accounting_is_held_against_raw_rows_that_are_published_in_the_same_release(home: Settings) -> None:
    stage_landed(home)
    release(home, RELEASED, "r1")
    assert runs(home) == dict.fromkeys(TABLES, "r1")


def test_a_table_that_fails_keeps_back_all_of_the_step(home: Settings) -> None:
    stage_landed(home, landed=7)
    message = r"expected rows_landed = 7 \(rows of staged raw_events\), found 6; run clean again"
    with pytest.raises(AuditError, match=message):
        release(home, RELEASED, "r1")
    assert runs(home) == {}


def test_raw_rows_of_a_retry_count_and_not_those_staged_before(home: Settings) -> None:
    """A retry after files changed: the published rows are those that this release replaces."""
    stage_landed(home, landed=7)
    with pytest.raises(AuditError):
        release(home, RELEASED, "r1")
    stage(home, "raw_events", {DAY: [{**factory.SOUND["raw_events"], "source_file": f"{n}.csv"} for n in range(6)]})
    release(home, RELEASED, "r1")
    assert published("raw_events", home)[DAY].rows == 6


def test_a_release_that_was_cut_short_goes_on_and_a_third_is_a_no_op(home: Settings) -> None:
    stage_landed(home)
    release(home, RELEASED[:1], "r1")  # died after its first table
    first = published("raw_events", home)[DAY]
    stage_landed(home)  # the retried job stages the same rows again
    release(home, RELEASED, "r1")
    assert published("raw_events", home)[DAY] == first
    done = {name: published(name, home) for name in TABLES}
    stage_landed(home, run="r2")
    release(home, RELEASED, "r2")
    assert {name: published(name, home) for name in TABLES} == done


def ends_with(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["pipeline", "release", *arguments])
    with pytest.raises(SystemExit) as end:
        program.run(cli.main)
    return end.value.code


def test_a_failed_audit_has_an_exit_code_of_its_own(home: Settings, monkeypatch, capsys) -> None:
    stage(home, "events", {DAY: [event(1, price=-1.0)]})
    assert ends_with(monkeypatch, "--table", "events", "--run", "r1") == AUDIT_FAILED
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith(f"error: events: ds={DAY}: expected price")
    assert str(data_docs.site_folder(home)) in last and "nothing is published" in last


def test_other_failures_may_be_tried_again(home: Settings, monkeypatch, capsys) -> None:
    assert ends_with(monkeypatch, "--table", "events", "--run", "r1") == 1
    assert "run 'r1' staged nothing" in capsys.readouterr().err
    assert ends_with(monkeypatch, "--table", "event", "--run", "r1") == 2
