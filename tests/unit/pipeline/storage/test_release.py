"""Audit, then publish, in one process: what a failure keeps back, and which exit code says so."""

import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.commands import cli
from pipeline.orchestration.step_commands import AUDIT_FAILED
from pipeline.runtime import program
from pipeline.runtime.errors import AuditError, FencedError, StagingError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.audit import data_docs
from pipeline.storage.publish import publish
from pipeline.storage.reading import published
from pipeline.storage.release import release
from pipeline.storage.staging import Manifest
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


def stage_events(settings: Settings, raw: Manifest) -> None:
    """What cleaning makes of an attempt of `raw_events`: an event of every row."""
    rows = [event(n) for n in range(len(raw.days[DAY]))]
    stage(settings, "events", {DAY: rows}, run=raw.run, inputs={"raw_events": raw.attempt})


def stage_raw(settings: Settings, rows: int, run: str = "r1") -> Manifest:
    """An attempt of `raw_events`, a file for each row."""
    raw = [{**factory.SOUND["raw_events"], "source_file": f"{n}.csv"} for n in range(rows)]
    return stage(settings, "raw_events", {DAY: raw}, run=run, files_per_day=rows)


def test_events_of_an_attempt_that_was_replaced_are_refused(home: Settings) -> None:
    """A file is corrected while a first try still runs: the retry has staged newer rows, the first try ends last."""
    old = stage_raw(home, 1)
    new = stage_raw(home, 2)
    stage_events(home, old)
    with pytest.raises(
        StagingError, match=rf"events: run 'r1' made it from attempt {old.attempt} of raw_events, staged"
    ):
        release(home, RELEASED[:2], "r1")
    assert runs(home) == {}
    stage_events(home, new)
    release(home, RELEASED[:2], "r1")
    assert {name: published(name, home)[DAY].rows for name in TABLES[:2]} == {"raw_events": 2, "events": 2}


# Of two runs: which stages raw rows, cleans one of its attempts (the first may end last), publishes a table.
ACTIONS = st.tuples(
    st.sampled_from(["stage", "clean", "raw_events", "events"]), st.sampled_from(["r1", "r2"]), st.integers(0, 3)
)


@given(st.lists(ACTIONS, max_size=14))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_overlaps_events_are_published_next_to_the_raw_rows_they_were_made_of(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, str, int]]
) -> None:
    home = Settings(home=tmp_path_factory.mktemp("home"))
    tries: dict[str, list[Manifest]] = {"r1": [], "r2": []}
    for action, run, choice in history:
        if action == "stage":
            tries[run].append(stage_raw(home, choice + 1, run))
        elif action == "clean" and tries[run]:
            stage_events(home, tries[run][choice % len(tries[run])])
        elif action in TABLES:
            try:
                (manifest,) = staging.current(home, action, run)
                factory.pass_audit(home, manifest, digest=f"{len(manifest.days[DAY])} rows")
                publish(home, table_named(action), run)
            except (StagingError, FencedError):
                continue
            if action == "events":
                assert published("raw_events", home)[DAY].rows == published("events", home)[DAY].rows


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
