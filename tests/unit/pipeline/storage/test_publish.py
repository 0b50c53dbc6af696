"""Publishing: one winner, all days or none, no-op reruns, refused zombies, kill -9 survived."""

import multiprocessing
import random
import sys
import time
from multiprocessing.synchronize import Barrier

import pytest

from pipeline.commands import cli
from pipeline.runtime import program
from pipeline.runtime.errors import FencedError, StagingError
from pipeline.runtime.settings import Settings
from pipeline.storage import reading
from pipeline.storage.catalog import load_table
from pipeline.storage.publish import publish
from pipeline.tables.registry import table_named
from tests.unit.pipeline.staged_factory import DAY, SOUND, event, pass_audit, stage

EVENTS = table_named("events")
NEXT, LAST = "2024-03-06", "2024-03-07"
SPAWN = multiprocessing.get_context("spawn")
PUBLISHERS, ROUNDS, KILLS = 4, 6, 5


def rows_of(ds: str, first: int, count: int) -> list[dict[str, object]]:
    return [event(n, ds=ds, arrival_ds=ds) for n in range(first, first + count)]


def ready(settings: Settings, run: str, days: dict[str, list[dict[str, object]]]) -> None:
    pass_audit(settings, stage(settings, "events", days, run))


def event_ids(settings: Settings, ds: str) -> list[int]:
    ids = reading.read("events", ds, settings)["event_id"].to_pylist()
    return sorted(int(text, 16) for text in ids)


def snapshots(settings: Settings) -> int:
    iceberg = load_table(settings, EVENTS)
    return len(iceberg.metadata.snapshots) if iceberg else 0


def test_what_was_published_is_read(home: Settings) -> None:
    ready(home, "r1", {DAY: rows_of(DAY, 1, 3)})
    changed = publish(home, EVENTS, "r1")
    assert (changed[DAY].run, changed[DAY].rows) == ("r1", 3)
    assert reading.published("events", home) == changed
    assert event_ids(home, DAY) == [1, 2, 3]


def test_the_same_run_again_changes_nothing(home: Settings) -> None:
    ready(home, "r1", {DAY: rows_of(DAY, 1, 3)})
    publish(home, EVENTS, "r1")
    before = snapshots(home)
    assert publish(home, EVENTS, "r1") == {}
    assert snapshots(home) == before


def test_equal_content_of_another_run_changes_nothing(home: Settings) -> None:
    for run in ("r1", "r2"):
        pass_audit(home, stage(home, "events", {DAY: rows_of(DAY, 1, 3)}, run), digest="same")
        changed = publish(home, EVENTS, run)
    assert changed == {}
    assert reading.published("events", home)[DAY].run == "r1"


def test_a_newer_run_replaces_the_day_and_only_it(home: Settings) -> None:
    ready(home, "r1", {DAY: rows_of(DAY, 1, 3), NEXT: rows_of(NEXT, 10, 2)})
    publish(home, EVENTS, "r1")
    ready(home, "r2", {DAY: rows_of(DAY, 4, 2)})
    publish(home, EVENTS, "r2")
    assert (event_ids(home, DAY), event_ids(home, NEXT)) == ([4, 5], [10, 11])


def test_a_day_remembers_when_it_was_first_published_and_when_last(home: Settings) -> None:
    ready(home, "r1", {DAY: rows_of(DAY, 1, 3)})
    before = time.time_ns()
    first = publish(home, EVENTS, "r1")[DAY]
    ready(home, "r2", {DAY: rows_of(DAY, 4, 2)})
    second = publish(home, EVENTS, "r2")[DAY]
    assert before < first.published == first.first_published < second.published < time.time_ns()
    assert second.first_published == first.published
    assert reading.published("events", home)[DAY] == second


def test_an_attempt_that_began_earlier_is_refused(home: Settings) -> None:
    ready(home, "zombie", {DAY: rows_of(DAY, 1, 1)})
    ready(home, "newer", {DAY: rows_of(DAY, 2, 1)})
    new = publish(home, EVENTS, "newer")[DAY]
    with pytest.raises(FencedError) as error:
        publish(home, EVENTS, "zombie")
    message = str(error.value)
    assert message.startswith(
        f"events ds={DAY}: run 'newer' published it from an attempt that began later "
        f"(fence {new.fence}) than this one (run 'zombie', fence "
    )
    assert event_ids(home, DAY) == [2]


def test_a_range_is_published_whole_or_not_at_all(home: Settings) -> None:
    ready(home, "range", {ds: rows_of(ds, 1, 1) for ds in (DAY, NEXT, LAST)})
    ready(home, "newer", {NEXT: rows_of(NEXT, 2, 1)})
    publish(home, EVENTS, "newer")
    with pytest.raises(FencedError, match=f"events ds={NEXT}"):
        publish(home, EVENTS, "range")
    assert list(reading.published("events", home)) == [NEXT]
    assert event_ids(home, NEXT) == [2]


def test_a_day_without_rows_is_published_and_can_be_filled_and_emptied(home: Settings) -> None:
    for number, count in enumerate((0, 2, 0)):
        ready(home, f"r{number}", {DAY: rows_of(DAY, 1, count)})
        assert publish(home, EVENTS, f"r{number}")[DAY].rows == count
        assert reading.read("events", DAY, home).num_rows == count


def test_nothing_unaudited_is_published(home: Settings) -> None:
    stage(home, "events", {DAY: rows_of(DAY, 1, 1)})
    with pytest.raises(StagingError, match="no passed audit; audit it before publishing"):
        publish(home, EVENTS, "r1")
    assert reading.published("events", home) == {}


def test_the_command_publishes_several_tables(
    home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ready(home, "r1", {DAY: rows_of(DAY, 1, 3)})
    pass_audit(home, stage(home, "quarantine", {DAY: [SOUND["quarantine"]]}))
    tables = ["--table", "events", "--table", "quarantine"]
    monkeypatch.setattr(sys, "argv", ["pipeline", "publish", *tables, "--run", "r1"])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    assert capsys.readouterr().out.splitlines() == [
        "events: published 1 days, 3 rows",
        "quarantine: published 1 days, 1 rows",
    ]


@pytest.mark.parametrize(
    ("table", "code", "line"),
    [("event", 2, "error: table: expected one of"), ("sessions", 1, "error: sessions: run 'r1'")],
)
def test_the_command_tells_wrong_usage_from_failure(
    home: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    table: str,
    code: int,
    line: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["pipeline", "publish", "--table", table, "--run", "r1"])
    with pytest.raises(SystemExit) as end:
        program.run(cli.main)
    assert end.value.code == code
    assert capsys.readouterr().err.startswith(line)


# ---- several publishers


def race(settings: Settings, number: int, barrier: Barrier, same_day: bool) -> None:
    """One of the racing processes: publishes its run of each round as the others do."""
    for turn in range(ROUNDS):
        barrier.wait(120)
        try:
            publish(settings, EVENTS, f"round-{turn}-{number}")
        except FencedError:
            assert same_day
        barrier.wait(120)


def run_race(settings: Settings, same_day: bool) -> None:
    barrier = SPAWN.Barrier(PUBLISHERS)
    racers = [SPAWN.Process(target=race, args=(settings, number, barrier, same_day)) for number in range(PUBLISHERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert [racer.exitcode for racer in racers] == [0] * PUBLISHERS


def days_from(first: int, count: int) -> list[str]:
    return [f"2024-03-{first + number:02d}" for number in range(count)]


def test_of_racing_publishers_of_a_day_the_newest_attempt_wins(home: Settings) -> None:
    days = days_from(1, ROUNDS)
    for turn, ds in enumerate(days):
        for number in range(PUBLISHERS):
            ready(home, f"round-{turn}-{number}", {ds: rows_of(ds, 100 * number, number + 1)})
    run_race(home, same_day=True)
    newest = PUBLISHERS - 1  # staged last, so with the highest fence
    for turn, ds in enumerate(days):
        assert event_ids(home, ds) == [100 * newest + n for n in range(newest + 1)]
        assert reading.published("events", home)[ds].run == f"round-{turn}-{newest}"


def test_racing_publishers_of_different_days_lose_nothing(home: Settings) -> None:
    days = days_from(1, ROUNDS * PUBLISHERS)
    for place, ds in enumerate(days):
        turn, number = divmod(place, PUBLISHERS)
        ready(home, f"round-{turn}-{number}", {ds: rows_of(ds, place, 2)})
    run_race(home, same_day=False)
    assert list(reading.published("events", home)) == days
    for place, ds in enumerate(days):
        assert event_ids(home, ds) == [place, place + 1]


def publish_forever(settings: Settings, first: int, started: object) -> None:
    """Publishes ever newer content of one day, until it is killed."""
    number = first
    while True:
        ready(settings, f"run-{number}", {DAY: rows_of(DAY, number, 3), NEXT: []})
        publish(settings, EVENTS, f"run-{number}")
        started.set()  # type: ignore[attr-defined]
        number += 1


def test_a_killed_publisher_leaves_no_bad_read_and_a_retry_succeeds(home: Settings) -> None:
    chance = random.Random(7)
    for kill in range(KILLS):
        started = SPAWN.Event()
        publisher = SPAWN.Process(target=publish_forever, args=(home, 1000 * kill, started))
        publisher.start()
        assert started.wait(120)
        time.sleep(chance.uniform(0, 0.4))  # where it is killed is left to chance
        publisher.kill()
        publisher.join()
        now = reading.published("events", home)[DAY]
        first = int(now.run.removeprefix("run-"))
        assert event_ids(home, DAY) == [first, first + 1, first + 2]
        ready(home, f"retry-{kill}", {DAY: rows_of(DAY, kill, 1), NEXT: []})
        assert publish(home, EVENTS, f"retry-{kill}")[DAY].rows == 1
        assert event_ids(home, DAY) == [kill]
