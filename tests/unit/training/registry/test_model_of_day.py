"""Which model scores a day: the champion of that time, never one that had seen later days."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.days import day_end, shift
from pipeline.runtime.errors import ModelError, UsageError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.tables.features import NO_MODEL
from tests.unit.pipeline.features.feature_days import ANN, features, publish_days
from training.registry.model_of_day import Champion, champion_then, model_of_day
from training.registry.runs import open_client
from training.registry.versions import CHAMPION, MODEL, PROMOTED, PROMOTED_AT, ROLLED_BACK, aliased

FIRST = "2024-03-01"
DELAY = timedelta(hours=8)


def over(ds: str) -> datetime:
    return day_end(ds, ["UTC"]) + DELAY


def champion(version: str, ds: str, days_later: float) -> Champion:
    """Trained for `ds`, promoted so long after its end."""
    return Champion(version, ds, day_end(ds, ["UTC"]) + timedelta(days=days_later))


# Version 1 is the first champion, 2 and 3 are those of the Sundays after, promoted on Monday at noon.
LIVE = [champion("1", "2024-03-01", 0.1), champion("2", "2024-03-03", 0.5), champion("3", "2024-03-10", 0.5)]
# The same log loaded a year later, all in one afternoon.
LOADED = [Champion(it.version, it.ds, datetime(2025, 1, 1, 12, n, tzinfo=UTC)) for n, it in enumerate(LIVE)]
NIGHTS = [shift(FIRST, n) for n in range(14)]


@pytest.mark.parametrize(
    ("ds", "live", "loaded"),
    [
        ("2024-03-01", "1", "1"),
        ("2024-03-03", "1", "2"),  # that night version 2 was being trained
        ("2024-03-04", "2", "2"),
        ("2024-03-09", "2", "2"),
        ("2024-03-10", "2", "3"),
        ("2024-03-11", "3", "3"),
    ],
)
def test_an_old_day_that_was_never_scored(ds: str, live: str, loaded: str) -> None:
    assert champion_then(LIVE, LIVE[-1], ds, "", NIGHTS, over(ds)) == live
    assert champion_then(LOADED, LOADED[-1], ds, "", NIGHTS, over(ds)) == loaded


def test_a_day_keeps_the_version_that_it_was_scored_with() -> None:
    assert champion_then(LIVE, LIVE[-1], "2024-03-12", "2", NIGHTS, over("2024-03-12")) == "2"
    # ... unless that had seen later days, or is no champion any more.
    assert champion_then(LIVE, LIVE[-1], "2024-03-05", "3", NIGHTS, over("2024-03-05")) == "2"
    assert champion_then(LIVE, LIVE[-1], "2024-03-05", "9", NIGHTS, over("2024-03-05")) == "2"


def test_a_new_night_is_scored_by_who_is_champion_now() -> None:
    """Also where somebody has moved the alias by hand."""
    for present in LIVE:
        assert champion_then(LIVE, present, "2024-03-15", "", NIGHTS, over("2024-03-15")) == present.version
        assert champion_then(LIVE, present, "2024-03-15", "", [], over("2024-03-15")) == present.version


def test_a_day_before_every_champion_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        champion_then(LIVE, LIVE[-1], "2024-02-29", "1", NIGHTS, over("2024-02-29"))
    assert str(refused.value) == (
        "user_features ds=2024-02-29: expected a champion that was trained for no later day, found none, the earliest "
        "is version 1 of 2024-03-01; leave the day unscored, or name a version (`run --model-version 1`, in Airflow "
        "the parameter model_version): its columns then know what came after the day, and as_of refuses them without "
        "hindsight=True"
    )


CHAMPIONS = st.lists(st.tuples(st.integers(0, 13), st.floats(0, 20)), min_size=1, max_size=5).map(
    lambda drawn: [champion(str(n), NIGHTS[day], late) for n, (day, late) in enumerate(drawn, 1)]
)


@given(CHAMPIONS, st.data())
def test_no_day_is_scored_by_a_model_of_a_later_day(champions: list[Champion], data: st.DataObject) -> None:
    ds = data.draw(st.sampled_from(NIGHTS))
    present = data.draw(st.sampled_from([None, *champions]))
    before = data.draw(st.sampled_from(["", "99", *(it.version for it in champions)]))
    scored = sorted(data.draw(st.sets(st.sampled_from(NIGHTS))))
    try:
        found = champion_then(champions, present, ds, before, scored, over(ds))
    except UsageError:
        assert all(it.ds > ds for it in champions)
        return
    assert next(it for it in champions if it.version == found).ds <= ds
    # Scored again, when all later days are scored too, it keeps its version.
    assert champion_then(champions, present, ds, found, NIGHTS, over(ds)) == found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A registry as promotions leave it: 1 and 2 were champions, 3 was turned down, 4 rolled back, 2 is champion."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIDEMARK_HOME", str(tmp_path_factory.mktemp("then") / "home"))
        settings = load_settings()
        assert model_of_day(settings, "2024-03-20") == NO_MODEL  # nothing has landed
        assert not settings.mlflow.exists()  # asking makes nothing
        client = open_client(settings)
        client.create_registered_model(MODEL)
        assert model_of_day(settings, "2024-03-20") == NO_MODEL  # nothing has landed
        days = ("2024-03-01", "2024-03-08", "2024-03-09", "2024-03-10")
        for ds, promoted in zip(days, ("true", "true", "false", "true"), strict=True):
            tags = {"ds": ds, PROMOTED: promoted} | {PROMOTED_AT: f"{ds}T20:00:00+00:00"}
            client.create_model_version(MODEL, f"file://{settings.home}", tags=tags)
        client.set_model_version_tag(MODEL, "4", ROLLED_BACK, "2024-03-11T09:00:00+00:00")
        client.set_registered_model_alias(MODEL, CHAMPION, "2")
        yield settings


def test_the_registry_and_the_published_rows_say_who_was_champion(home: Settings) -> None:
    versions = {"2024-03-05": "1", "2024-03-10": "4", "2024-03-12": "2"}
    for ds, version in versions.items():
        publish_days(home, f"r-{ds}", {ds: [features(ANN, ds, model_version=version)]})
    publish_days(home, "r-empty", {"2024-03-09": []})
    found = {ds: model_of_day(home, ds) for ds in ("2024-03-05", "2024-03-09", "2024-03-10", "2024-03-12")}
    assert found == {"2024-03-05": "1", "2024-03-09": "2", "2024-03-10": "2", "2024-03-12": "2"}
    assert model_of_day(home, "2024-03-06") == "1"  # never scored
    assert model_of_day(home, "2024-03-20") == "2"  # tonight
    with pytest.raises(UsageError, match=r"ds=2024-02-01: .* the earliest is version 1 of 2024-03-01"):
        model_of_day(home, "2024-02-01")
    assert aliased(open_client(home), CHAMPION) == "2"


def test_one_that_is_named_is_taken_if_it_is_registered(home: Settings) -> None:
    assert model_of_day(home, "2024-02-01", "3") == "3"
    with pytest.raises(ModelError, match="expected a registered version, found '9'"):
        model_of_day(home, "2024-02-01", "9")


def test_a_champion_of_an_unknown_day_is_refused(home: Settings) -> None:
    client = open_client(home)
    client.create_model_version(MODEL, f"file://{home.home}")
    client.set_registered_model_alias(MODEL, CHAMPION, "5")
    try:
        with pytest.raises(ModelError, match="expected version 5 to have the tag ds"):
            model_of_day(home, "2024-03-20")
    finally:
        client.set_registered_model_alias(MODEL, CHAMPION, "2")


def test_a_day_that_was_scored_without_a_model_stays_without_one() -> None:
    early = "2024-02-01"
    assert champion_then(LIVE, LIVE[-1], early, NO_MODEL, NIGHTS, over(early)) == NO_MODEL
    assert champion_then(LIVE, LIVE[-1], "2024-03-11", NO_MODEL, NIGHTS, over("2024-03-11")) == "3"
