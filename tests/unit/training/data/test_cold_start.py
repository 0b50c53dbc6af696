"""What a row says of a user, or an item, of whom next to nothing is known."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.runtime.days import shift
from pipeline.tables.registry import ITEMS as ITEM_ROWS
from tests.unit.training.factory import DS, embeddings, event, item_rows
from tests.unit.training.scoring.reasons.shop import predictor as with_blend
from tests.unit.training.scoring.test_scoring import history, listed, predictor
from training.data.catalogue import build_catalogue
from training.data.users import HEADS
from training.scoring.feature_rows import score_users

ITEMS = 60
VIEW = event("shop:001", "view", DS)
RETURNS = [event(f"shop:{n:03d}", "return", DS, hour=n) for n in range(5)]


@pytest.mark.parametrize(
    ("events", "why", "is_cold"),
    [
        ([], "no_known_item", True),
        ([event(None, "search", DS)], "no_known_item", True),
        ([event("shop:999", "purchase", DS)] * 4, "no_known_item", True),
        (RETURNS[:1], "no_engagement", True),
        (RETURNS, "no_engagement", False),  # items were read, but nothing it turned to
        ([VIEW], "few_events", True),
        ([VIEW, *RETURNS[:1]], "few_events", True),
        ([VIEW, VIEW, VIEW], None, False),
    ],
)
def test_why_a_user_is_a_cold_start(events: list[dict], why: str | None, is_cold: bool) -> None:
    found = predictor(build_catalogue(embeddings(ITEMS)))
    row = score_users(history((["shop"], events)), DS, "1", found).to_pylist()[0]
    assert (row["cold_start"], row["is_cold_start"]) == (why, is_cold)
    assert len(row["next_items"]) == 50
    assert row["next_items"][0]["score"] > 0
    assert np.isfinite(row["embedding"]).all()
    assert all(0 <= row[f"p_{head}"] <= 1 for head in HEADS)


def test_users_of_whom_nothing_is_known_get_the_items_with_most_users_of_late() -> None:
    """Twenty others viewed three items of a topic each, all today: their items come first."""
    catalogue = build_catalogue(embeddings(ITEMS))
    found = predictor(catalogue)
    users = found.markets["shop"].facts.users[14]
    popular = sorted(range(ITEMS), key=lambda n: (-users[n], n))[: int((users > 0).sum())]
    row = score_users(history((["shop"], [event(None, "search", DS)])), DS, "1", found).to_pylist()[0]
    ids = [catalogue.item_ids[n].as_py() for n in popular]
    assert len(ids) > 10
    assert sorted(listed(row, "next_items")[: len(ids)]) == sorted(ids)
    assert listed(row, "next_items") == listed(row, "next_new_items")
    assert row["next_items_because"] == row["next_new_items_because"] == []


def test_entries_known_by_their_text_alone_are_counted() -> None:
    catalogue = build_catalogue(embeddings(ITEMS))
    rows = history((["shop"], [VIEW]))
    row = score_users(rows, DS, "1", predictor(catalogue, known=20)).to_pylist()[0]
    for name in ("next_items", "next_new_items"):
        fresh = [item for item in listed(row, name) if int(item.split(":")[1]) >= 20]
        assert 0 < len(fresh) == row[f"{name}_cold"] < 50
    row = score_users(rows, DS, "1", predictor(catalogue)).to_pylist()[0]
    assert row["next_items_cold"] == 0


def test_an_item_first_seen_today_is_named_from_today_on() -> None:
    """Item 57 is of the topic that the user viewed today; nobody has turned to it yet."""
    fresh = [{**row, "first_ds": DS} if row["item_id"] == "shop:057" else row for row in item_rows(ITEMS).to_pylist()]
    items = pa.Table.from_pylist(fresh, schema=ITEM_ROWS.schema)
    catalogue = build_catalogue(embeddings(ITEMS), items)
    seen = [event(f"shop:{n:03d}", "view", shift(DS, -1)) for n in (1, 5, 9)]
    found = with_blend(catalogue, known=57, text_near=1.0)
    rows = history((["shop"], seen))
    today = score_users(rows, DS, "1", found).to_pylist()[0]
    assert "shop:057" in listed(today, "next_new_items")
    assert today["next_new_items_cold"] >= 1
    yesterday = score_users(rows, shift(DS, -1), "1", found).to_pylist()[0]
    assert "shop:057" not in listed(yesterday, "next_new_items")
