"""A refresh and the night that serves: who is written where, on SQLite, Redis and Postgres."""

import time

import pytest

from pipeline.features.online import open_backend, open_store
from pipeline.features.online.load import load_night, roll_back
from pipeline.features.online.night import Night
from pipeline.features.online.patch import patch_night
from pipeline.runtime.settings import Settings
from pipeline.storage.publish import publish
from pipeline.tables.intraday import USER_FEATURES_INTRADAY
from tests.unit.pipeline.features.online.feature_nights import features, publish_features, user
from tests.unit.pipeline.staged_factory import pass_audit, stage

BEFORE, BASE, TODAY = "2024-03-04", "2024-03-05", "2024-03-06"
NINE, TEN = f"{TODAY}T09", f"{TODAY}T10"


@pytest.fixture
def served(online: Settings) -> Settings:
    """Two nights of users 0, 1 and 2 in the store; the newer one serves."""
    for ds in (BEFORE, BASE):
        publish_features(online, ds, 3)
        load_night(online, open_backend(online), ds)
    return online


def publish_refreshed(settings: Settings, hours: dict[int, str]) -> None:
    """The rows of TODAY: users with the hour that wrote them."""
    run = f"refresh-{time.time_ns()}"
    rows = [
        features(TODAY, number, hour=hour, base_ds=BASE, first_ds=BASE, p_churn_7d=0.75)
        for number, hour in hours.items()
    ]
    manifest = stage(settings, USER_FEATURES_INTRADAY.name, {TODAY: rows}, run)
    pass_audit(settings, manifest)
    publish(settings, USER_FEATURES_INTRADAY, run)


def patch(settings: Settings, hour: str, patched: str = "") -> Night | None:
    return patch_night(settings, open_backend(settings), hour, patched)


def days(settings: Settings, users: int = 6) -> list[str | None]:
    """Of which day each user's row is, as a reader finds it."""
    rows = open_store(settings).get([user(number) for number in range(users)])
    return [row and row["ds"] for row in rows]


def test_rows_of_the_day_go_over_those_of_the_night(served: Settings) -> None:
    publish_refreshed(served, {1: NINE, 4: NINE})
    night = patch(served, NINE)
    assert days(served) == [BASE, TODAY, BASE, None, TODAY, None]
    assert (night.ds, night.rows, night.refreshed) == (BASE, 4, NINE)
    assert open_store(served).current() == night
    assert open_store(served).get([user(1)])[0]["p_churn_7d"] == 0.75


def test_a_version_that_was_patched_gets_the_hour_alone(served: Settings) -> None:
    publish_refreshed(served, {1: NINE})
    version = patch(served, NINE).version
    publish_refreshed(served, {1: NINE, 2: TEN})
    backend = open_backend(served)
    with backend.writing():
        backend.erase(version, [user(1)])  # to see whether it is written again
    patch(served, TEN, patched=version)
    assert days(served) == [BASE, None, TODAY, None, None, None]


def test_another_version_gets_all_of_the_day(served: Settings) -> None:
    """After a rollback, and when the night was loaded anew."""
    publish_refreshed(served, {1: NINE})
    first = patch(served, NINE).version
    roll_back(open_backend(served))
    assert days(served) == [BEFORE, BEFORE, BEFORE, None, None, None]
    publish_refreshed(served, {1: NINE, 2: TEN})
    assert patch(served, TEN, patched=first).version != first
    assert days(served) == [BEFORE, TODAY, TODAY, None, None, None]
    load_night(served, open_backend(served), BASE, force=True)
    assert days(served) == [BASE, BASE, BASE, None, None, None]


def test_the_night_of_the_day_is_left_alone(served: Settings) -> None:
    publish_refreshed(served, {1: NINE})
    publish_features(served, TODAY, 5)
    load_night(served, open_backend(served), TODAY)
    assert patch(served, NINE) is None
    assert open_store(served).get([user(1)])[0]["p_churn_7d"] != 0.75
    roll_back(open_backend(served))
    assert patch(served, NINE).ds == BASE  # which serves again, and knows less


def test_a_store_without_a_night_stays_empty(online: Settings) -> None:
    publish_refreshed(online, {1: NINE})
    assert patch(online, NINE) is None
    assert open_store(online).current() is None


def test_a_night_that_is_being_loaded_is_waited_for(served: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.features.online import patch as module
    from pipeline.runtime.errors import OnlineError

    monkeypatch.setattr(module, "WAIT_SECONDS", 0.2)
    publish_refreshed(served, {1: NINE})
    with open_backend(served).writing():
        with pytest.raises(OnlineError, match="another process writes"):
            patch(served, NINE)
        assert days(served)[1] == BASE
    assert patch(served, NINE).refreshed == NINE
