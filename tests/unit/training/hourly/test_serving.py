"""Which version serves between two nights: the champion, or an hourly one that goes on from it."""

from collections.abc import Iterator

import pytest

from pipeline.runtime.settings import Settings, load_settings
from training.registry.runs import open_client
from training.registry.versions import BASE, CHAMPION, HOURLY, MODEL, serving


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Champions 1 and 2, and version 3, which goes on from 1."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIDEMARK_HOME", str(tmp_path_factory.mktemp("serving") / "home"))
        patch.setenv("TIDEMARK_HOURLY_LEARNING", "true")
        settings = load_settings()
        assert serving(settings) is None
        client = open_client(settings)
        client.create_registered_model(MODEL)
        for tags in ({}, {}, {BASE: "1"}):
            client.create_model_version(MODEL, "file:///nowhere", tags=tags)
        yield settings


def alias(settings: Settings, **versions: str) -> None:
    for name, version in versions.items():
        open_client(settings).set_registered_model_alias(MODEL, name, version)


def test_the_champion_serves_until_an_hourly_version_goes_on_from_it(home: Settings) -> None:
    alias(home, **{CHAMPION: "1"})
    assert serving(home) == "1"
    alias(home, **{HOURLY: "3"})
    assert serving(home) == "3"


def test_another_champion_ends_the_line(home: Settings) -> None:
    alias(home, **{CHAMPION: "2", HOURLY: "3"})
    assert serving(home) == "2"


def test_off_by_default(home: Settings) -> None:
    alias(home, **{CHAMPION: "1", HOURLY: "3"})
    assert serving(home.model_copy(update={"hourly_learning": False})) == "1"
