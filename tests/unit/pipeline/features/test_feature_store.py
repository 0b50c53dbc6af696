"""Feast over the home: generated, applied, and the same values as reading the table."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from feast import FeatureStore
from feast.types import Array, Float32

from pipeline.features.feast import open_feature_store
from pipeline.features.feast.fields import features_of
from pipeline.features.feast.repository import definitions, repository
from pipeline.features.online import open_backend
from pipeline.features.online.load import load_night
from pipeline.runtime.days import shift
from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.reading import read
from pipeline.tables.registry import USER_FEATURES
from tests.unit.pipeline.features.feature_days import ANN, BOB, EVE, features, publish_days

MON, TUE, WED = "2024-03-04", "2024-03-05", "2024-03-06"
NAMES = [feature.name for feature in features_of(USER_FEATURES)]
ALL = [f"user_features:{name}" for name in NAMES]
INTERESTS = [{"topic_id": "t0002", "share": 0.75}, {"topic_id": "t0001", "share": 0.25}]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection but to a local file socket fails."""

    def refuse(self: socket.socket, address: object) -> None:
        raise AssertionError(f"connects to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def store(home: Settings, no_network: None) -> Iterator[FeatureStore]:
    """Ann on Monday (1 day since her last) and Tuesday (2), with interests; Bob on Tuesday."""
    ann = features(ANN, TUE, recency_days=2, interests_long=INTERESTS, drift_from_topic="t0001")
    days = {MON: [features(ANN, MON, recency_days=1)], TUE: [ann, features(BOB, TUE)]}
    publish_days(home, "r1", days)
    load_night(home, open_backend(home), TUE)
    yield open_feature_store(home)


def rows_read(ds: str) -> dict[str, dict[str, object]]:
    """The features of every user as the table has them, by Feast's names."""
    rows = read("user_features", ds).to_pylist()
    return {str(row["user_id"]): {it.name: it.of_row(row) for it in features_of(USER_FEATURES)} for row in rows}


def labels(*rows: tuple[str, str]) -> pd.DataFrame:
    users, times = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "user_id": users,
            "event_timestamp": pd.to_datetime(times, utc=True),
            "label": range(len(rows)),
        }
    )


def test_history_is_what_the_table_says(store: FeatureStore) -> None:
    frame = labels((ANN, f"{WED}T10:00Z"), (BOB, f"{WED}T10:00Z"), (ANN, f"{TUE}T10:00Z"))
    found = store.get_historical_features(frame, ALL).to_arrow()
    assert found.schema.names == ["user_id", "event_timestamp", "label", *NAMES]
    tuesday, monday = rows_read(TUE), rows_read(MON)
    expected = [tuesday[ANN], tuesday[BOB], monday[ANN]]
    assert found.select(NAMES).to_pylist() == expected


def test_history_knows_nothing_of_later(store: FeatureStore) -> None:
    frame = labels((ANN, f"{MON}T10:00Z"), (BOB, f"{TUE}T10:00Z"), (EVE, f"{WED}T10:00Z"))
    found = store.get_historical_features(frame, ["user_features:recency_days"]).to_df()
    assert found["recency_days"].isna().all()
    assert found["label"].tolist() == [0, 1, 2]
    old = labels((ANN, "2024-03-13T00:00:00Z"), (ANN, "2024-03-13T00:00:01Z"))  # ttl: 7 days
    kept = store.get_historical_features(old, ["user_features:recency_days"]).to_df()
    assert kept["recency_days"].isna().tolist() == [False, True]


def test_history_by_publication(store: FeatureStore, home: Settings) -> None:
    """Yesterday is published now: at midnight nobody could read it."""
    today = datetime.now(UTC).date().isoformat()
    yesterday = shift(today, -1)
    publish_days(home, "r2", {yesterday: [features(ANN, yesterday, recency_days=3)]})
    frame = labels((ANN, f"{today}T00:00:00+00:00"), (ANN, f"{today}T23:59:59+00:00"))
    asked = ["user_features:recency_days"]
    over = store.get_historical_features(frame, asked)
    seen = store.get_historical_features(frame, asked, filter_by_created_timestamp=True)
    assert over.to_arrow()["recency_days"].to_pylist() == [3, 3]
    assert seen.to_arrow()["recency_days"].to_pylist() == [None, 3]


def test_full_names_carry_the_view(store: FeatureStore) -> None:
    frame = labels((ANN, f"{WED}T10:00Z"))
    asked = ["user_features:recency_days", "user_features:next_items_score"]
    found = store.get_historical_features(frame, asked, full_feature_names=True).to_df()
    assert found["user_features__recency_days"].tolist() == [2]
    assert len(found["user_features__next_items_score"][0]) == 50


def test_online_is_what_the_table_says(store: FeatureStore) -> None:
    users = [{"user_id": user} for user in (BOB, EVE, ANN)]
    found = store.get_online_features(ALL, users).to_dict()
    tuesday = rows_read(TUE)
    for place, user in enumerate((BOB, EVE, ANN)):
        row = {name: found[name][place] for name in NAMES}
        expected = tuesday.get(user, dict.fromkeys(NAMES))
        assert row == expected
    assert found["interests_long_topic_id"][2] == ["t0002", "t0001"]
    assert found["interests_long_share"][2] == [0.75, 0.25]


def test_nothing_is_written_through_feast(store: FeatureStore) -> None:
    with pytest.raises(UsageError, match="expected no materialization"):
        store.materialize(datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 7, tzinfo=UTC))
    frame = store.get_historical_features(labels((ANN, f"{WED}T10:00Z")), ALL).to_df()
    with pytest.raises(UsageError, match="expected no materialization"):
        store.write_to_online_store("user_features", frame, allow_registry_cache=False)


def test_the_view_tells_the_contract(store: FeatureStore) -> None:
    view = store.get_feature_view("user_features")
    fields = {field.name: field for field in view.features}
    assert view.tags == {"version": USER_FEATURES.version}
    assert set(fields) == set(NAMES)
    for feature in features_of(USER_FEATURES):
        assert fields[feature.name].description == feature.description
        assert fields[feature.name].tags == feature.tags
    assert fields["p_churn_28d"].tags == {
        "since": "1.0",
        "range": "0 to 1",
        "null": "never",
        "unit": "probability",
        "by_model": "true",
    }
    assert fields["next_items_score"].dtype == Array(Float32)


def test_the_repository_is_readable_python_and_follows_the_schema(store: FeatureStore, home: Settings) -> None:
    text = (home.home / "feast" / "user_features.py").read_text()
    assert text == definitions(USER_FEATURES, home)
    assert f"Feast definitions of user_features {USER_FEATURES.version}." in text
    (home.home / "feast" / "user_features.py").write_text("stale")
    open_feature_store(home)
    assert (home.home / "feast" / "user_features.py").read_text() == text


def run_module(*arguments: str) -> str:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_repository_is_applied_by_hand_and_opened_by_path(home: Settings) -> None:
    publish_days(home, "r1", {TUE: [features(ANN, TUE)]})
    told = run_module("pipeline", "features", "feast")
    assert told == f"{home.home}/feast: user_features, {len(NAMES)} features\n"
    assert {path.name for path in Path(home.home, "feast").iterdir()} >= set(repository(home))
    store = FeatureStore(repo_path=str(home.home / "feast"))
    found = store.get_historical_features(labels((ANN, f"{WED}T10:00Z")), ALL[:1]).to_df()
    assert len(found) == 1


def test_loading_a_night_brings_the_definitions_up_to_date(home: Settings) -> None:
    publish_days(home, "r1", {TUE: [features(ANN, TUE, recency_days=4)]})
    run_module("pipeline", "online", "load", "--ds", TUE, "--run", "r1")
    assert staging.times_of(home, "serve", "r1") is not None
    store = FeatureStore(repo_path=str(home.home / "feast"))
    found = store.get_online_features(["user_features:recency_days"], [{"user_id": ANN}])
    assert found.to_dict()["recency_days"] == [4]


def test_names_are_told_apart() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert not {"user_id", "ds", "event_timestamp"} & set(NAMES)
