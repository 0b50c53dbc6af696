"""Rows of the feature table for users at the edges: next to nothing, far too much, all at once."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.runtime.days import shift
from tests.unit.training.factory import DS, embeddings, event
from tests.unit.training.scoring.test_scoring import history, predictor
from training.data.catalogue import build_catalogue
from training.data.users import HEADS
from training.model.predictor import Predictor
from training.scoring.feature_rows import score_users

NEXT = shift(DS, 1)
MILLION = 1_000_000


@pytest.fixture(scope="module")
def found() -> Predictor:
    return predictor(build_catalogue(embeddings(60)))


def scored(found: Predictor, users: pa.Table, ds: str = DS) -> dict:
    """The row of the only user; whatever the user did, lists are full and numbers are numbers."""
    (row,) = score_users(users, ds, "1", found).to_pylist()
    assert len(row["next_items"]) == 50
    scores = [entry["score"] for entry in row["next_items"]]
    assert scores == sorted(scores, reverse=True)
    assert np.isfinite([*row["embedding"], *scores]).all()
    assert all(0 <= row[f"p_{head}"] <= 1 for head in HEADS)
    return row


def told(row: dict, **expected: object) -> None:
    assert {name: row[name] for name in expected} == expected


def test_one_event(found: Predictor) -> None:
    row = scored(found, history((["shop"], [event("shop:001", "view", DS, price=3.0)])))
    told(
        row,
        events_7d=1,
        views_28d=1,
        purchases_365d=0,
        spend_365d=0,
        recency_days=0,
        cold_start="few_events",
        embedding_drift=None,
    )


def test_a_million_events(found: Predictor) -> None:
    """The list holds the newest 1,024, the counts all of them."""
    listed = [event(f"shop:{n % 60:03d}", "view", DS, hour=n % 24) for n in range(1024)]
    users = history((["shop"], sorted(listed, key=lambda entry: entry["event_time"])))
    (row,) = users.to_pylist()
    row["daily"][0] |= {"events": MILLION, "quantity": 1e6, "value": 5e6}
    told(
        scored(found, pa.Table.from_pylist([row], schema=users.schema)),
        events_7d=MILLION,
        views_28d=MILLION,
        events_365d=MILLION,
        recency_days=0,
        cold_start=None,
        embedding_drift=None,
    )


def test_only_returns(found: Predictor) -> None:
    events = [event(f"shop:{n:03d}", "return", shift(DS, -n)) for n in (9, 3, 0)]
    told(
        scored(found, history((["shop"], events))),
        events_7d=2,
        returns_28d=3,
        purchases_365d=0,
        spend_365d=0,
        cold_start="no_engagement",
        is_cold_start=False,
    )


def test_all_events_at_one_instant(found: Predictor) -> None:
    kinds = ("view", "view", "cart", "favorite", "purchase")
    told(
        scored(found, history((["shop"], [event("shop:001", kind, DS) for kind in kinds]))),
        events_7d=5,
        views_28d=2,
        purchases_28d=1,
        spend_28d=5.0,
        active_days_28d=1,
        recency_days=0,
        cold_start=None,
    )


def test_one_item_of_one_topic_day_after_day(found: Predictor) -> None:
    events = [event("shop:001", "view", shift(DS, -n)) for n in range(40, -1, -1)]
    row = scored(found, history((["shop"], events)))
    told(row, active_days_28d=28, views_28d=28, events_365d=41)
    assert "shop:001" not in [entry["item_id"] for entry in row["next_new_items"]]


def test_a_night_without_any_event(found: Predictor) -> None:
    """The same history a day later: windows move on, the user's vector does not."""
    week_ago = event("shop:001", "purchase", shift(DS, -6))
    users = history((["shop"], [week_ago, event("shop:002", "view", DS)]))
    before, after = (scored(found, users, ds) for ds in (DS, NEXT))
    told(before, events_7d=2, events_28d=2, recency_days=0)
    told(after, ds=NEXT, events_7d=1, events_28d=2, recency_days=1, spend_28d=5.0, embedding=before["embedding"])
