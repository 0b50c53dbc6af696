"""The feature table takes over what other steps know of the same users."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.runtime.days import shift
from pipeline.runtime.errors import ModelError, NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.storage.audit.audit_table import audit
from pipeline.storage.reading import read
from pipeline.tables.features import JOINED, USER_FEATURES
from tests.unit.training.factory import (
    DS,
    embeddings,
    event,
    item_rows,
    publish_day,
    publish_users,
    user_id,
    vouch,
)
from tests.unit.training.known_users import interests, signals
from tests.unit.training.scoring.test_scoring import history, model
from training.data.catalogue import build_catalogue
from training.model.model import save
from training.scoring import bucket as score_bucket
from training.scoring.bucket import Bucket
from training.scoring.joined_tables import JoinedRows

ITEMS, USERS = 60, 9


@pytest.fixture
def folder(home: Settings, tmp_path: Path) -> Path:
    """A model beside a home with the catalogue of DS."""
    publish_day(home, "item_embeddings", embeddings(ITEMS))
    publish_day(home, "items", item_rows(ITEMS))
    catalogue = build_catalogue(embeddings(ITEMS))
    save(model(catalogue.item_ids, ["shop"]), tmp_path / "model")
    return tmp_path / "model"


def users(number: int = USERS) -> pa.Table:
    return history(*[(["shop"], [event(f"shop:{n:03d}", "view", DS)]) for n in range(number)])


def test_columns_are_declared_once() -> None:
    """Those of the joined tables, with all that is said of them, as of version 1.1."""
    for table in JOINED:
        for column in table.columns:
            if column.name not in ("ds", "user_id"):
                mine = USER_FEATURES.column(column.name)
                assert mine.since == "1.1"
                assert (mine.type, mine.meaning, mine.nulls) == (column.type, column.meaning, column.nulls)
    names = [column.name for column in USER_FEATURES.columns]
    assert len(set(names)) == len(names)


def test_every_user_gets_its_own_row_of_each_table(
    home: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the order of other files, and when the bucket is read in several shares."""
    monkeypatch.setattr(score_bucket, "SHARE_USERS", 2)
    monkeypatch.setattr(score_bucket, "MOST_USERS", 1)
    publish_users(home, users())
    order = [4, 0, 8, 1, 7, 2, 6, 3, 5]
    mixed = interests([user_id(n) for n in range(USERS)], DS).take(pa.array(order))
    publish_day(home, "user_interests", mixed, run="mixed")
    rows = [score_bucket.score_bucket(home, DS, "n", Bucket(k, 2), "1", folder) for k in (0, 1)]
    assert sum(rows) == USERS
    vouch(home, "user_features", "n")
    found = {row["user_id"]: row for row in read("user_features", DS, home).to_pylist()}
    for number in range(USERS):
        row = found[user_id(number)]
        assert row["interest_events_long"] == number + 0.5
        assert row["interests_short"] == [{"topic_id": f"t{number + 2:04d}", "share": 1.0}]
        assert row["drift_to_topic"] == f"t{number + 2:04d}"
        assert row["reviews"] == number
        assert row["sentiment"] == (0.5 if number else None)


def test_what_is_scored_passes_the_audit(home: Settings, folder: Path) -> None:
    """Users known well, by one event, by a search, by returns, and by items nobody knows."""
    lives = [
        [event(f"shop:{n:03d}", "purchase", shift(DS, -n), hour=h) for n in range(9, 0, -1) for h in (9, 10)],
        [event("shop:001", "view", DS)],
        [event(None, "search", DS)],
        [event("shop:002", "return", DS)],
        [event("shop:999", "purchase", DS)],
    ]
    publish_users(home, history(*[(["shop"], life) for life in lives]))
    score_bucket.score_bucket(home, DS, "n", Bucket(0, 1), "1", folder)
    receipt = audit(home, USER_FEATURES, "n")
    assert receipt.days[DS]["rows"] == len(lives)


def test_a_user_without_a_row_is_named(home: Settings, folder: Path) -> None:
    publish_users(home, users())
    publish_day(home, "user_signals", signals([user_id(n) for n in (0, 1, 3)], DS), run="short")
    wanted = rf"user_signals ds={DS}: expected a row for every user of user_history, found none"
    with pytest.raises(ModelError, match=rf"{wanted} for 6 .* run the step profile"):
        score_bucket.score_bucket(home, DS, "n", Bucket(0, 1), "1", folder)


def test_a_day_without_profiles_is_named(home: Settings, folder: Path) -> None:
    publish_day(home, "user_history", users())
    with pytest.raises(NotPublishedError, match=f"user_interests ds={DS}: not published"):
        score_bucket.score_bucket(home, DS, "n", Bucket(0, 1), "1", folder)


def test_no_user_is_no_error() -> None:
    rows = {t.name: t.schema.empty_table().drop_columns(["ds"]) for t in JOINED}
    nobody = pa.table({"user_id": pa.array([], pa.string())})
    assert JoinedRows(DS, rows).with_columns(nobody).num_rows == 0


@pytest.mark.parametrize(("number", "of", "users"), [(0, 1, 0), (1, 2, 1), (0, 3, 7), (2, 3, 100)])
def test_shares_make_up_their_bucket(number: int, of: int, users: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_bucket, "SHARE_USERS", 2)
    ids = pa.array([user_id(n) for n in range(200)])
    rows = pa.RecordBatch.from_arrays([ids], ["user_id"])
    bucket = Bucket(number, of)
    parts = [share.users(rows)["user_id"].to_pylist() for share in bucket.shares(users)]
    assert len(parts) == max(1, -(-users // (2 * of)))
    joined = [user for part in parts for user in part]
    assert len(joined) == len(set(joined))
    assert sorted(joined) == sorted(bucket.users(rows)["user_id"].to_pylist())
