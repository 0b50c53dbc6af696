"""Waiting for a day in the triggerer: when it is left to it, what it answers, and that its loop goes on."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSensorTimeout, TaskDeferred

from pipeline.airflow import triggers, waits
from pipeline.airflow.operators import AwaitLanding
from pipeline.airflow.triggers import LandingTrigger
from pipeline.runtime.settings import Settings

DAY = "2026-01-02"
FILE = f"webshop: no file matches landing/webshop/{DAY}.jsonl.gz"


@pytest.fixture
def landed(home: Settings) -> Settings:
    land(home, "2026-01-01")
    return home


def land(home: Settings, ds: str) -> Path:
    file = home.landing / "webshop" / f"{ds}.jsonl.gz"
    file.parent.mkdir(exist_ok=True)
    file.touch()
    return file


def task(settings: Settings, ds: str = DAY, minutes: int = 60) -> AwaitLanding:
    return AwaitLanding(task_id="wait", settings=settings, ds=ds, timeout=timedelta(minutes=minutes))


def fired(trigger: LandingTrigger) -> object:
    """The payload of the first event of a trigger."""

    async def first() -> object:
        return (await anext(trigger.run())).payload

    return asyncio.run(first())


def test_a_complete_day_is_not_waited_for(landed: Settings) -> None:
    assert task(landed, "2026-01-01").execute({"params": {}}) is None


def test_a_day_that_lacks_something_is_left_to_the_triggerer(landed: Settings) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        task(landed).execute({"params": {}})
    assert deferred.value.method_name == "resume"
    path, arguments = deferred.value.trigger.serialize()
    assert path == "pipeline.airflow.triggers.LandingTrigger"
    assert arguments["ds"] == DAY and not arguments["allow_empty"] and not arguments["incomplete"]
    assert 3500 < arguments["until"] - time.time() <= 3600
    assert LandingTrigger(**arguments).serialize() == (path, arguments)


def test_params_take_a_day_as_it_is(landed: Settings) -> None:
    assert task(landed).execute({"params": {"allow_empty": True}}) is None
    toml = (Path(waits.__file__).parents[1] / "sources/webshop.toml").read_text()
    landed.sources.mkdir()
    (landed.sources / "webshop.toml").write_text(toml.replace("[delivery]", "[delivery]\nfiles = 2"))
    with pytest.raises(TaskDeferred):
        task(landed, "2026-01-01").execute({"params": {}})
    assert task(landed, "2026-01-01").execute({"params": {"incomplete": True}}) is None
    with pytest.raises(TaskDeferred):  # a day without any file is not a part of a day
        task(landed).execute({"params": {"incomplete": True}})


def test_a_run_without_partition_key_says_how_to_start_one(home: Settings) -> None:
    with pytest.raises(AirflowFailException, match=r"found 'None'; trigger the run with a partition key"):
        task(home, "None").execute({"params": {}})


def test_the_trigger_fires_when_the_day_is_complete(landed: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers, "FIRST_PAUSE", 0.01)
    trigger = LandingTrigger(DAY, False, False, time.time() + 60)
    looks: list[list[str]] = []
    look = trigger.look

    def look_and_land() -> list[str]:
        looks.append(look())
        land(landed, DAY)
        return looks[-1]

    monkeypatch.setattr(trigger, "look", look_and_land)
    assert fired(trigger) == {"lacking": []}
    assert looks == [[FILE], []]


def test_the_trigger_ends_in_time_and_names_what_is_missing(landed: Settings) -> None:
    assert fired(LandingTrigger(DAY, False, False, time.time())) == {"lacking": [FILE]}
    with pytest.raises(AirflowSensorTimeout, match=rf"^ds={DAY}: still missing after 60 min: {FILE}$"):
        task(landed).resume({}, {"lacking": [FILE]})
    assert task(landed).resume({}, {"lacking": []}) is None


def test_a_source_that_is_wrong_fails_the_task_with_its_message(landed: Settings) -> None:
    landed.sources.mkdir()
    (landed.sources / "shop.toml").write_text("platform")
    event = fired(LandingTrigger(DAY, False, False, time.time() + 60))
    assert "shop.toml: not valid TOML" in event["error"]
    with pytest.raises(AirflowException, match=r"error: .*shop\.toml: not valid TOML"):
        task(landed).resume({}, event)


def test_looking_does_not_hold_up_the_loop_of_the_triggerer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two triggers look at once: each look ends only when both have begun."""
    import threading

    both = threading.Barrier(2, timeout=30)

    def look(self: LandingTrigger) -> list[str]:
        both.wait()
        return []

    monkeypatch.setattr(LandingTrigger, "look", look)

    async def two() -> list[object]:
        triggers_ = [LandingTrigger(ds, False, False, time.time() + 60) for ds in ("2026-01-01", DAY)]
        return list(await asyncio.gather(*(anext(trigger.run()) for trigger in triggers_)))

    assert [event.payload for event in asyncio.run(two())] == [{"lacking": []}] * 2
