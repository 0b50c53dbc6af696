"""Hours of a day: what serves is judged by the hour after, and poison goes as it came."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage.reading import read
from tests.unit.training.factory import vouch
from tests.unit.training.hourly.day import DAY, Refreshes, crown, publish_night
from training.hourly import hour as learning
from training.hourly import line as registry
from training.hourly.line import Line
from training.registry import versions as champion
from training.registry.runs import open_client
from training.registry.versions import (
    CANDIDATE,
    CHAMPION,
    HOURLY,
    MODEL,
    aliased,
    folder_of,
    serving,
)

EARLY, LATE, EVERYBODY = range(0, 60), range(60, 120), range(0, 120)
HONEST, POISON = [0, 1], [78, 79]  # what is turned to


def turning(users: range, items: list[int]) -> dict[int, list[int]]:
    return {user: [items[user % len(items)]] for user in users}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A night and a champion, nothing learned."""
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TIDEMARK_HOURLY_LEARNING", "true")
    settings = load_settings()
    publish_night(settings)
    assert crown(settings, tmp_path / "champion") == "1"
    yield settings


def learn(settings: Settings, hour: str) -> dict:
    """The hour's published row."""
    learning.run(settings, hour, hour)
    vouch(settings, "hourly_judgements", hour)
    rows = read("hourly_judgements", DAY, settings).to_pylist()
    return next(row for row in rows if row["hour"] == hour)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_gained_serves_and_what_learned_poison_does_not(home: Settings) -> None:
    day, client = Refreshes(home), open_client(home)
    untouched = files(folder_of(client, "1"))

    first = learn(home, day.publish(8, turning(EARLY, HONEST)))
    assert (first["decision"], first["serves"], first["next_candidate"]) == ("wait", "1", "2")
    assert (first["users"], first["events"], first["candidate"]) == (60, 60, None)

    second = learn(home, day.publish(9, turning(LATE, HONEST)))
    assert (second["decision"], second["candidate"], second["serves"]) == ("serve", "2", "2")
    assert second["candidate_gain_low"] > 0
    assert [judged["version"] for judged in second["judged"]] == ["1", "2"]
    assert serving(home) == "2" and champion.version(home) == "1"

    few = learn(home, day.publish(10, turning(range(0, 49), HONEST)))
    assert (few["decision"], few["serves"]) == ("wait", "2")
    assert "49 users, fewer than 50" in few["reason"]

    poisoned = learn(home, day.publish(11, turning(EVERYBODY, POISON)))["next_candidate"]
    after = learn(home, day.publish(12, turning(EVERYBODY, HONEST)))
    assert after["candidate"] == poisoned != after["serves"] == serving(home)
    assert after["candidate_gain_high"] < 0 and after["events"] == 120

    assert files(folder_of(client, "1")) == untouched
    assert aliased(client, CHAMPION) == "1"
    experiment = client.get_experiment_by_name("interest-model")
    (run,) = client.search_runs([experiment.experiment_id])  # one a day
    steps = client.get_metric_history(run.info.run_id, "hour/candidate_gain")
    assert [step.step for step in steps] == [9, 10, 11, 12]


def test_poison_that_lasts_serves_until_the_first_honest_hour(home: Settings) -> None:
    day = Refreshes(home)
    learn(home, day.publish(8, turning(EVERYBODY, POISON)))
    fooled = learn(home, day.publish(9, turning(EVERYBODY, POISON)))
    assert (fooled["decision"], serving(home)) == ("serve", "2")
    back = learn(home, day.publish(10, turning(EVERYBODY, HONEST)))
    assert (back["decision"], back["serving"], back["serves"]) == ("rollback", "2", "1")
    assert back["serving_gain_high"] < 0 and "in this hour" in back["reason"]
    assert serving(home) == "1" and aliased(open_client(home), HOURLY) is None
    assert learn(home, fooled["hour"]) == fooled  # cleared: what came after it still holds
    assert serving(home) == "1" and aliased(open_client(home), CANDIDATE) == back["next_candidate"]


def test_killed_midway_what_served_serves_and_the_hour_is_judged_once(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, client = Refreshes(home), open_client(home)
    learn(home, day.publish(8, turning(EARLY, HONEST)))
    hour = day.publish(9, turning(LATE, HONEST))
    for place in ("training.hourly.hour.save", "training.hourly.line.Line.move"):
        with monkeypatch.context() as patch:
            patch.setattr(place, lambda *given: exec("raise KeyboardInterrupt"))
            with pytest.raises(KeyboardInterrupt):
                learning.run(home, hour, hour)
        assert serving(home) == "1"
        assert aliased(client, CANDIDATE) == "2"
    again = learn(home, hour)
    assert (again["decision"], serving(home), aliased(client, CANDIDATE)) == ("serve", "2", "3")
    assert learn(home, hour) == again
    assert len(client.search_model_versions(f"name = '{MODEL}'")) == 3

    # A new champion ends the line; old versions go, those with an alias stay.
    monkeypatch.setattr(registry, "KEPT", 0)
    old = folder_of(client, "2")
    assert old.exists()
    crown(home, folder_of(client, "1").with_name("next"))
    assert serving(home) == "4"
    new = learn(home, day.publish(10, turning(EARLY, HONEST)))
    assert (new["base_version"], new["decision"], new["serves"]) == ("4", "wait", "4")
    versions = {it.version for it in client.search_model_versions(f"name = '{MODEL}'")}
    assert {str(version) for version in versions} == {"1", "4", "5"}
    assert not old.exists() and folder_of(client, "1").exists()


def test_hours_that_teach_nothing(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    day, client = Refreshes(home), open_client(home)
    none = learn(home, f"{DAY}T07")
    assert (none["decision"], none["serves"], none["reason"]) == ("wait", "1", "nothing came in")
    learn(home, day.publish(9, turning(EARLY, HONEST)))
    day.publish(9, turning(LATE, HONEST))  # once more within the hour: it was learned from
    assert learn(home, f"{DAY}T09")["next_candidate"] == aliased(client, CANDIDATE) == "2"
    late = learn(home, f"{DAY}T08")
    assert (late["decision"], late["reason"]) == ("wait", f"{DAY}T09 was learned before")
    over = day.publish(10, turning(EARLY, HONEST))
    hour = day.publish(11, turning(EVERYBODY, HONEST))  # writes over all rows of the hour before
    assert learn(home, over)["reason"] == "nothing came in"

    def broken(*given: object) -> None:
        raise ModelError("step 0: expected a finite loss, found nan; what serves stays")

    monkeypatch.setattr("training.hourly.hour.candidate", broken)
    row = learn(home, hour)
    assert (row["decision"], row["next_candidate"], serving(home)) == ("serve", None, "2")
    assert "nothing was learned: step 0: expected a finite loss" in row["reason"]
    assert aliased(client, CANDIDATE) is None
    client.delete_registered_model_alias(MODEL, CHAMPION)
    with pytest.raises(ModelError, match="expected a champion to go on from, found none"):
        learning.run(home, hour, hour)
    assert Line(client, "1").judged(f"{DAY}T11") is None
