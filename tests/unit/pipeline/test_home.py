"""`pipeline.open()`: one object for all readers, which imports nothing heavy before it is used."""

import inspect
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

import pipeline
from pipeline.features.as_of_join import MAX_AGE, as_of
from pipeline.features.online import open_backend
from pipeline.features.online.load import load_night
from pipeline.home import Home
from pipeline.runtime.errors import NotPublishedError, SettingsError, UsageError
from pipeline.runtime.settings import Settings
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage.reading import read
from tests.unit.pipeline.features.feature_days import at, features, publish_days
from tests.unit.pipeline.staged_factory import USER

MON, TUE = "2026-03-30", "2026-03-31"
PUBLIC = {"read", "scan", "files", "tables", "as_of", "online", "feast", "history", "user", "night"}
HEAVY = ("duckdb", "feast", "numpy", "pandas", "polars", "pyarrow", "pydantic", "pyiceberg", "typer")


@pytest.fixture
def door(home: Settings) -> Home:
    """A home with two published days of one user."""
    publish_days(home, "r1", {MON: [features(USER, MON, recency_days=0)], TUE: [features(USER, TUE, recency_days=1)]})
    return pipeline.open()


def test_importing_pipeline_brings_in_nothing_heavy() -> None:
    program = f"import pipeline, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_there_is_is_frozen_and_documented() -> None:
    members = {name: member for name, member in vars(Home).items() if not name.startswith("_")}
    assert set(members) == PUBLIC
    for name, member in members.items():
        assert "home." in (inspect.getdoc(member) or ""), f"{name} shows an example"
    assert "pipeline.open(" in (pipeline.open.__doc__ or "")


def test_as_of_has_the_parameters_of_the_function_behind_it() -> None:
    own, behind = inspect.signature(Home.as_of).parameters, inspect.signature(as_of).parameters
    assert list(own)[2:] == list(behind)[1:-1]
    assert all(own[name].default == behind[name].default for name in list(own)[2:])
    assert timedelta(days=7) == MAX_AGE


def test_rows_columns_and_scans(door: Home) -> None:
    assert door.read("user_features", TUE).equals(read("user_features", TUE))
    assert door.read("user_features").num_rows == 2
    few = door.read("user_features", TUE, ["recency_days", "user_id"])
    assert few.to_pydict() == {"recency_days": [1], "user_id": [USER]}
    assert few.schema.field("recency_days").type == pa.int32() or few.schema.field("recency_days").type == pa.int64()
    assert door.scan("user_features", MON).select("recency_days").to_arrow()["recency_days"].to_pylist() == [0]
    snapshot, files = door.files("user_features", MON, TUE)
    assert snapshot and len(files) == 2


def test_wrong_names_and_days_are_refused(door: Home) -> None:
    with pytest.raises(UsageError, match="user_features has no recency, rhythm"):
        door.read("user_features", TUE, ["recency", "user_id", "rhythm"])
    with pytest.raises(UsageError, match="expected one of raw_events"):
        door.read("user_feature")
    with pytest.raises(UsageError, match="expected one of raw_events"):
        door.history("user_feature")
    with pytest.raises(NotPublishedError, match="ds=2026-04-01: not published; published are 2 days"):
        door.read("user_features", "2026-04-01", ["user_id"])
    with pytest.raises(NotPublishedError, match="events: nothing has been published yet"):
        door.scan("events")


def test_tables_and_their_history(door: Home) -> None:
    tables = door.tables()
    assert tables["user_features"].days == {MON: 1, TUE: 1}
    assert tables["user_features"].is_state
    assert tables["user_features"].columns[:2] == ("ds", "user_id")
    assert tables["events"].days == {}
    publish_days(door.settings, "r2", {TUE: [features(USER, TUE, recency_days=5)]})
    newest, first = door.history("user_features")
    assert (newest.run, list(newest.days), newest.rows) == ("r2", [TUE], 1)
    assert (first.run, first.first, first.last, first.rows) == ("r1", MON, TUE, 2)
    assert newest.published > first.published
    assert door.history("events") == []


def test_labels_the_online_store_and_feast(door: Home) -> None:
    load_night(door.settings, open_backend(door.settings), TUE)
    stamps = pa.array([at("2026-04-01T10:00:00Z")], pa.timestamp("us", "UTC"))
    labels = pa.table({"user_id": [USER], "event_timestamp": stamps})
    assert door.as_of(labels, ["recency_days"])["recency_days"].to_pylist() == [1]
    [row] = door.online.get([USER])
    assert row is not None and row["recency_days"] == 1
    assert door.online is door.online
    found = door.feast.get_historical_features(labels.to_pandas(), ["user_features:recency_days"]).to_df()
    assert found["recency_days"].tolist() == [1]


def test_a_user_by_either_name(door: Home) -> None:
    assert door.user(USER).row["ds"] == TUE
    assert door.user(USER, MON).row["recency_days"] == 0
    raw = pseudonym(load_user_key(door.settings.home), "webshop:U1")
    publish_days(door.settings, "r2", {TUE: [features(raw, TUE, recency_days=3)]})
    assert door.user("webshop:U1").row["recency_days"] == 3
    with pytest.raises(NotPublishedError, match="no row of user"):
        door.user("webshop:U2")
    with pytest.raises(UsageError, match="expected YYYY-MM-DD"):
        door.user(USER, "today")


def test_a_user_by_any_of_the_ids_that_are_joined(door: Home) -> None:
    """Their row is the person's: no account has one of its own."""
    key = load_user_key(door.settings.home)
    accounts = [pseudonym(key, name) for name in ("webshop:U1", "app:d-9")]
    rows = [{"ds": TUE, "account_id": account, "user_id": USER, "since_ds": TUE} for account in accounts]
    publish_days(door.settings, "r3", {TUE: rows}, "identities")
    for name in ("webshop:U1", "app:d-9", *accounts, USER):
        assert door.user(name).row["user_id"] == USER, name
    with pytest.raises(NotPublishedError, match="no row of user"):
        door.user("webshop:U1", MON)  # they were joined on Tuesday


def test_a_home_without_a_night_says_so(home: Settings) -> None:
    with pytest.raises(NotPublishedError, match="run a night first"):
        pipeline.open().user(USER)


def test_a_home_is_opened_by_its_path(door: Home, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path / "another"))
    there = pipeline.open(door.settings.home)
    assert there.read("user_features", TUE).num_rows == 1
    assert repr(there) == f"pipeline.open('{door.settings.home}')"
    with pytest.raises(SettingsError, match="expected the folder of a home, found none at"):
        pipeline.open(tmp_path / "mistyped")
    assert not (tmp_path / "mistyped").exists()
