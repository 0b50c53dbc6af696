"""A published shop, once for the tests that only read it."""

import os
from collections.abc import Iterator

import pytest

from pipeline.runtime.settings import Settings, load_settings
from tests.unit.training.factory import publish_shop

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a name that is nowhere must not be looked up


@pytest.fixture(scope="session")
def shop_home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home where all that training and scoring of factory.DS read is published."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIDEMARK_HOME", str(tmp_path_factory.mktemp("shop") / "home"))
        settings = load_settings()
    publish_shop(settings)
    return settings


@pytest.fixture
def shop(shop_home: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The shop, also as the home of jobs that the test runs."""
    monkeypatch.setenv("TIDEMARK_HOME", str(shop_home.home))
    yield shop_home
