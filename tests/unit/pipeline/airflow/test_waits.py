"""What a night waits for: landing, the days before, histories to train on."""

from types import SimpleNamespace

import pytest

from pipeline.airflow import waits
from pipeline.runtime.days import day_range
from pipeline.runtime.settings import Settings

FILES = "webshop: no file matches landing/webshop/2026-01-02.jsonl.gz"


@pytest.fixture
def landed(home: Settings) -> Settings:
    folder = home.landing / "webshop"
    folder.mkdir()
    for ds in ("2025-12-20", "2026-01-01", "2026-01-03"):
        (folder / f"{ds}.jsonl.gz").touch()
    return home


def test_an_empty_landing_is_waited_for(home: Settings) -> None:
    assert waits.landing(home, "2026-01-02") == [f"no source is active: nothing is below {home.landing}"]


def test_a_missing_file_is_named_unless_the_day_may_be_empty(landed: Settings) -> None:
    assert waits.landing(landed, "2026-01-02") == [FILES]
    assert waits.landing(landed, "2026-01-03") == []
    assert waits.landing(landed.model_copy(update={"allow_empty": True}), "2026-01-02") == []


def test_all_landed_days_before_must_be_published(landed: Settings, monkeypatch) -> None:
    published: dict[str, object] = {}
    monkeypatch.setattr("pipeline.storage.reading.loaded", lambda name, settings: published)
    assert waits.earlier_days(landed, "2026-01-04") == [
        "events of 2025-12-20, 2026-01-01, 2026-01-03 landed and are not published; load them with "
        "`python -m pipeline run --from 2025-12-20 --to 2026-01-03`"
    ]
    published.update({"2025-12-20": 1, "2026-01-01": 1, "2026-01-03": 1})
    assert waits.earlier_days(landed, "2026-01-04") == []


def test_the_day_itself_and_later_ones_are_not_waited_for(landed: Settings, monkeypatch) -> None:
    published = {"2025-12-20": 1, "2026-01-01": 1}
    monkeypatch.setattr("pipeline.storage.reading.loaded", lambda name, settings: published)
    assert waits.earlier_days(landed, "2026-01-02") == []
    assert waits.earlier_days(landed, "2026-01-03") == []


def test_every_day_of_a_long_gap_is_named(home: Settings, monkeypatch) -> None:
    """Eleven days landed and are not published: a wait of a week would speak of seven."""
    folder = home.landing / "webshop"
    folder.mkdir()
    gap = day_range("2026-01-01", "2026-01-11")
    for ds in (*gap, "2026-01-12"):
        (folder / f"{ds}.jsonl.gz").touch()
    monkeypatch.setattr("pipeline.storage.reading.loaded", lambda name, settings: {})
    (message,) = waits.earlier_days(home, "2026-01-12")
    assert f"events of {', '.join(gap)} landed" in message
    assert "run --from 2026-01-01 --to 2026-01-11" in message


def test_training_waits_for_both_of_its_tables(home: Settings) -> None:
    assert waits.history(home, "2026-01-04") == [
        f"{table} ds=2026-01-04 is not published; run nightly_features for it"
        for table in ("user_history", "item_embeddings")
    ]


def test_topics_wait_for_those_of_the_night_before(home: Settings, monkeypatch) -> None:
    night, by_range = SimpleNamespace(run="nightly_features.manual__1"), SimpleNamespace(run="r-1")
    found: dict[str, dict[str, object]] = {"events": {}, "topics": {}}
    monkeypatch.setattr("pipeline.storage.reading.published", lambda name, settings: found[name])
    assert waits.earlier_topics(home, "2026-01-04") == []  # no night at all
    found["events"] = {"2026-01-03": by_range}
    assert waits.earlier_topics(home, "2026-01-04") == []  # a range load brings no topics for it
    found["events"] = {"2026-01-02": night, "2026-01-03": night}
    assert waits.earlier_topics(home, "2026-01-04") == [
        "topics ds=2026-01-03 is not published, though its night began; clear what failed there, "
        "or load it with `python -m pipeline run --from 2026-01-03 --to 2026-01-03`"
    ]
    found["topics"] = {"2026-01-03": night}
    assert waits.earlier_topics(home, "2026-01-04") == []
