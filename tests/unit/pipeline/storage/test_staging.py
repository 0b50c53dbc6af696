"""Staged attempts: only whole ones are seen, and a receipt covers exactly what it saw."""

import pytest

from pipeline.runtime.errors import StagingError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from tests.unit.pipeline.staged_factory import DAY, event, pass_audit, stage

NEXT = "2024-03-06"


def test_the_newest_whole_attempt_is_current(home: Settings) -> None:
    stage(home, "events", {DAY: [event(1)]})
    newer = stage(home, "events", {DAY: [event(2)]})
    dead = staging.begin(home, "events", "r1")
    dead.day(DAY).mkdir()
    assert staging.current(home, "events", "r1") == [newer]


def test_a_manifest_holds_every_day_it_covers(home: Settings) -> None:
    manifest = stage(home, "events", {DAY: [event(1), event(2)], NEXT: []}, files_per_day=2)
    [read] = staging.current(home, "events", "r1")
    assert read == manifest
    assert [len(read.days[ds]) for ds in (DAY, NEXT)] == [2, 0]


def test_runs_do_not_see_each_other(home: Settings) -> None:
    stage(home, "events", {DAY: [event(1)]}, run="r1")
    with pytest.raises(StagingError) as error:
        staging.current(home, "events", "r2")
    assert str(error.value) == ("events: run 'r2' staged nothing; run the job that writes it first")


def test_a_part_without_a_whole_attempt_is_named(home: Settings) -> None:
    stage(home, "events", {DAY: [event(1)]}, part="bucket-0")
    staging.begin(home, "events", "r1", "bucket-1")
    with pytest.raises(StagingError) as error:
        staging.current(home, "events", "r1")
    assert str(error.value) == ("events: part 'bucket-1' of run 'r1' has no whole attempt; run its job again")


def test_rows_of_days_that_are_not_the_job_s_are_refused(home: Settings) -> None:
    attempt = staging.begin(home, "events", "r1")
    with pytest.raises(StagingError) as error:
        staging.complete(attempt, [DAY], {NEXT: ["x.parquet"]})
    assert str(error.value) == (
        f"events: expected rows of {DAY}..{DAY} only, found rows of {NEXT}; a job writes its own days"
    )


def test_a_receipt_covers_the_attempts_that_it_saw_and_no_newer(home: Settings) -> None:
    seen = stage(home, "events", {DAY: [event(1)]})
    pass_audit(home, seen)
    assert staging.audited(home, "events", "r1")[0] == [seen]
    stage(home, "events", {DAY: [event(2)]})
    with pytest.raises(StagingError, match=r"staged are now .*; audit again"):
        staging.audited(home, "events", "r1")


def test_a_part_added_after_the_audit_is_noticed(home: Settings) -> None:
    pass_audit(home, stage(home, "events", {DAY: [event(1)]}, part="bucket-0"))
    stage(home, "events", {DAY: [event(2)]}, part="bucket-1")
    with pytest.raises(StagingError, match="audit again"):
        staging.audited(home, "events", "r1")


@pytest.mark.parametrize("run", ["", ".", "..", "../other", "a/b"])
def test_what_is_no_id_of_a_run_is_refused(home: Settings, run: str) -> None:
    """Its folder is removed whole when it is cleared: it must be no other run's."""
    with pytest.raises(StagingError, match="run: expected an id"):
        staging.run_folder(home, "events", run)
