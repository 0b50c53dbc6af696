"""Loading, switching and going back, on SQLite, Redis and Postgres."""

import dataclasses

import pytest

from pipeline.features.online import load, open_backend, open_store
from pipeline.features.online.load import load_night, roll_back
from pipeline.runtime.errors import NotPublishedError, OnlineError
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import read
from pipeline.tables import registry
from pipeline.tables.schema import STRING, Column
from tests.unit.pipeline.features.online.feature_nights import FEATURES, features, publish_features, user

ONE, TWO, THREE, FOUR = "2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08"


def serve(settings: Settings, ds: str, users: int = 3, **changes: object) -> str:
    publish_features(settings, ds, users, **changes)
    return load_night(settings, open_backend(settings), ds)


def test_what_is_read_is_what_was_published(online: Settings) -> None:
    """Every value in its type, in the order asked, None for a user who is not there."""
    serve(online, ONE, users=300)
    rows = {row["user_id"]: row for row in read("user_features", ONE, online).to_pylist()}
    asked = [user(number) for number in (299, 7, 1_000_000, 7)]
    found = open_store(online).get(asked)
    assert found == [rows[user(299)], rows[user(7)], None, rows[user(7)]]
    assert found[0]["ds"] == ONE and found[0]["recency_days"] == 299
    assert open_store(online).get([]) == []


def test_current_names_the_night(online: Settings) -> None:
    assert open_store(online).current() is None
    serve(online, ONE)
    night = open_store(online).current()
    assert (night.ds, night.rows) == (ONE, 3)
    with pytest.raises(NotPublishedError, match="ds=2024-03-06: not published"):
        load_night(online, open_backend(online), TWO)


def test_nothing_loaded(online: Settings) -> None:
    with pytest.raises(OnlineError, match="expected a night, found none"):
        open_store(online).get([user(1)])


def test_an_open_reader_sees_the_next_night(online: Settings) -> None:
    serve(online, ONE)
    store = open_store(online)
    assert store.get([user(1)])[0]["ds"] == ONE
    serve(online, TWO)
    assert store.get([user(1)])[0]["ds"] == TWO


def test_two_nights_are_kept(online: Settings) -> None:
    for ds in (ONE, TWO, THREE):
        serve(online, ds)
    backend = open_backend(online)
    nights = backend.nights()
    assert (nights.current.ds, nights.previous.ds) == (THREE, TWO)
    assert backend.versions() == {nights.current.version, nights.previous.version}


def test_the_same_publication_is_loaded_once(online: Settings) -> None:
    serve(online, ONE)
    before = open_backend(online).nights()
    assert "serves already" in load_night(online, open_backend(online), ONE)
    assert open_backend(online).nights() == before


def test_a_day_that_was_published_again_is_a_new_version(online: Settings) -> None:
    serve(online, ONE, p_churn_7d=0.5)
    first = open_store(online).current()
    serve(online, ONE, p_churn_7d=0.75)
    assert open_store(online).current().version != first.version
    assert open_store(online).get([user(1)])[0]["p_churn_7d"] == 0.75


def test_an_older_day_is_loaded_only_by_force(online: Settings) -> None:
    serve(online, TWO)
    assert "the newer ds=2024-03-06 serves" in serve(online, ONE)
    assert open_store(online).current().ds == TWO
    load_night(online, open_backend(online), ONE, force=True)
    assert open_store(online).current().ds == ONE


def test_rollback_moves_the_pointer_alone(online: Settings) -> None:
    serve(online, ONE)
    serve(online, TWO)
    backend, store = open_backend(online), open_store(online)
    versions = backend.versions()
    assert roll_back(backend).startswith("ds=2024-03-05 serves again (3 users)")
    assert backend.versions() == versions
    assert store.get([user(2)])[0]["ds"] == ONE
    with pytest.raises(OnlineError, match="expected a previous night"):
        roll_back(backend)


def test_what_was_rolled_back_does_not_return(online: Settings) -> None:
    """A task that is tried again after a rollback must not undo it; the next night comes."""
    serve(online, ONE)
    serve(online, TWO)
    roll_back(open_backend(online))
    assert "was rolled back" in load_night(online, open_backend(online), TWO)
    assert open_store(online).current().ds == ONE
    serve(online, THREE)
    assert open_backend(online).nights().previous.ds == ONE


def test_an_empty_night(online: Settings) -> None:
    serve(online, ONE)
    serve(online, TWO, users=0)
    assert open_store(online).current().rows == 0
    assert open_store(online).get([user(1)]) == [None]
    roll_back(open_backend(online))
    assert open_store(online).get([user(1)])[0]["ds"] == ONE


def test_a_night_with_a_new_column(online: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nights of before and after lie side by side, each with its own columns."""
    serve(online, ONE)
    grown = dataclasses.replace(FEATURES, columns=(*FEATURES.columns, Column("mood", STRING, "")))
    monkeypatch.setitem(registry.TABLES, "user_features", grown)
    monkeypatch.setattr(load, "FEATURES", grown)
    from tests.unit.pipeline.features.online import feature_nights

    monkeypatch.setattr(feature_nights, "FEATURES", grown)
    store = open_store(online)
    assert "mood" not in store.get([user(1)])[0]
    serve(online, TWO, mood="calm")
    assert store.get([user(1)])[0]["mood"] == "calm"
    roll_back(open_backend(online))
    assert "mood" not in store.get([user(1)])[0]


def test_a_count_that_is_off_is_refused(online: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(online, ONE)
    publish_features(online, TWO, 3)
    backend = open_backend(online)
    monkeypatch.setattr(backend, "count", lambda version: 2)
    with pytest.raises(OnlineError, match=r"expected 3 users \(published\), found 2"):
        load_night(online, backend, TWO)
    assert open_store(online).current().ds == ONE
    assert len(open_backend(online).versions()) == 1


def test_a_second_writer_is_refused(online: Settings) -> None:
    publish_features(online, ONE, 3)
    with open_backend(online).writing(), pytest.raises(OnlineError, match="another process writes"):
        load_night(online, open_backend(online), ONE)
    load_night(online, open_backend(online), ONE)


def test_users_are_removed_from_every_night(online: Settings) -> None:
    serve(online, ONE)
    serve(online, TWO)
    backend = open_backend(online)
    with backend.writing():
        removed = {version: backend.erase(version, [user(1), user(9)]) for version in sorted(backend.versions())}
        backend.point(backend.nights().without(removed))
    assert list(removed.values()) == [1, 1]
    assert open_store(online).get([user(0), user(1)])[1] is None
    assert [backend.holds(version, [user(1)]) for version in removed] == [0, 0]
    assert open_store(online).current().rows == 2
    assert features(TWO, 0)["user_id"] == open_store(online).get([user(0)])[0]["user_id"]
