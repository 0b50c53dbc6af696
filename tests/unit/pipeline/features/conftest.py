"""Days are known at their end in these tests; test_known_in_every_zone.py is about the delay."""

import pytest


@pytest.fixture(autouse=True)
def served_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_SERVING_DELAY_HOURS", "0")
