"""Everybody is scored from the first day on, while the log is too short to train a model."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.runtime.days import day_range, shift
from pipeline.runtime.settings import Settings
from pipeline.storage import log_length
from pipeline.storage.audit.audit_table import audit
from pipeline.storage.reading import read
from pipeline.tables.features import NO_MODEL, USER_FEATURES
from pipeline.tables.registry import USER_HISTORY
from tests.unit.training.factory import (
    DS,
    daily,
    embeddings,
    event,
    item_rows,
    publish_day,
    publish_users,
    user_id,
    vouch,
)
from training.data.users import HEADS
from training.registry.model_of_day import model_of_day
from training.scoring.bucket import Bucket, score_bucket
from training.scoring.first_days import FIRST_CHANCE, USERS, BaseRates

ITEMS, PEOPLE = 60, 24
LENGTHS = (1, 3, 7, 14, 30, 60)


def first_days(length: int) -> pa.Table:
    """Of the last `length` days: person n comes on every (n + 1)-th day, and views or buys an item in turns."""
    rows = []
    days = [shift(DS, -age) for age in reversed(range(length))]
    for number in range(PEOPLE):
        mine = days[:: number + 1]
        events = [
            event(f"shop:{(number + 3 * k) % ITEMS:03d}", "purchase" if k % 2 else "view", ds)
            for k, ds in enumerate(mine)
        ]
        rows.append(
            {
                "ds": DS,
                "user_id": user_id(number),
                "platforms": ["shop"],
                "first_ds": mine[0],
                "last_ds": mine[-1],
                "events": events,
                "daily": daily(events, "shop"),
            }
        )
    return pa.Table.from_pylist(rows, schema=USER_HISTORY.schema)


@pytest.mark.parametrize("length", LENGTHS)
def test_every_user_has_a_whole_row(home: Settings, length: int) -> None:
    publish_day(home, "item_embeddings", embeddings(ITEMS))
    publish_day(home, "items", item_rows(ITEMS))
    publish_users(home, first_days(length))
    assert sum(score_bucket(home, DS, "n", Bucket(k, 2), NO_MODEL, None) for k in (0, 1)) == PEOPLE
    assert audit(home, USER_FEATURES, "n").days[DS]["rows"] == PEOPLE
    vouch(home, "user_features", "n")
    rows = read("user_features", DS, home).to_pylist()
    assert {row["model_version"] for row in rows} == {NO_MODEL}
    basis = "prior" if length == 1 else "extrapolated" if length < 29 else "base_rate"
    assert {row["propensity_basis"] for row in rows} == {basis}
    for row in rows:
        assert len(row["next_items"]) == 50
        assert all(0 < row[f"p_{head}"] < 1 for head in HEADS)


def test_own_items_come_first_and_new_ones_are_new(home: Settings) -> None:
    publish_day(home, "item_embeddings", embeddings(ITEMS))
    publish_day(home, "items", item_rows(ITEMS))
    history = first_days(7)
    publish_users(home, history)
    score_bucket(home, DS, "n", Bucket(0, 1), NO_MODEL, None)
    vouch(home, "user_features", "n")
    rows = {row["user_id"]: row for row in read("user_features", DS, home).to_pylist()}
    for user in history.to_pylist():
        own = {it["item_id"] for it in user["events"]}
        row = rows[user["user_id"]]
        assert row["next_items"][0]["item_id"] in own
        assert own.isdisjoint(entry["item_id"] for entry in row["next_new_items"])


def chances(history: pa.Table) -> tuple[dict[str, float], str]:
    found = BaseRates.of(history.select(["daily"]).to_batches(), DS)
    return dict(zip(HEADS, found.chances.tolist(), strict=True)), found.basis


def test_chances_count_who_was_there_and_what_they_did() -> None:
    """After 30 days: 24 people came on the first, and those of 1..6 came at least once in the last week."""
    found, basis = chances(first_days(30))
    assert basis == "base_rate"
    days = list(day_range(shift(DS, -29), DS))
    came = {n: days[:: n + 1] for n in range(PEOPLE)}
    gone = sum(max(mine) <= shift(DS, -7) for mine in came.values())
    assert found["churn_7d"] == pytest.approx((gone + USERS * FIRST_CHANCE["churn"]) / (PEOPLE + USERS), abs=1e-6)
    viewed = sum(any(ds > shift(DS, -7) for ds in mine[::2]) for mine in came.values())
    assert found["click_7d"] == pytest.approx((viewed + USERS * FIRST_CHANCE["click"]) / (PEOPLE + USERS), abs=1e-6)


def test_who_was_shown_things_is_counted_whether_an_act_followed_or_not() -> None:
    """Of a thousand who saw something 30 days ago half came back in the last week, and saw something after it."""
    long_ago, lately = shift(DS, -30), shift(DS, -3)
    shown = [event("shop:001", "impression", long_ago)]
    came = [*shown, event("shop:001", "view", lately), event("shop:001", "impression", DS)]
    rows = [{"daily": daily(came if n % 2 else [*shown, came[-1]], "shop")} for n in range(1_000)]
    schema = pa.schema([USER_HISTORY.schema.field("daily")])
    found, basis = chances(pa.Table.from_pylist(rows, schema=schema))
    assert basis == "base_rate"
    expected = (500 + USERS * FIRST_CHANCE["churn"]) / (1_000 + USERS)
    assert found["churn_7d"] == pytest.approx(expected, abs=1e-6)
    assert found["click_7d"] == pytest.approx((500 + USERS * FIRST_CHANCE["click"]) / (1_000 + USERS), abs=1e-6)


def test_a_first_day_has_the_stated_prior() -> None:
    found, basis = chances(first_days(1))
    assert basis == "prior"
    assert {act: round(found[f"{act}_7d"], 6) for act in FIRST_CHANCE} == FIRST_CHANCE


@pytest.mark.parametrize("length", LENGTHS)
def test_longer_horizons_are_likelier(length: int) -> None:
    found, _ = chances(first_days(length))
    for act in ("click", "cart", "purchase", "return"):
        assert 0 < found[f"{act}_7d"] <= found[f"{act}_28d"] < 1
    assert 0 < found["churn_28d"] <= found["churn_7d"] < 1
    assert np.isfinite(list(found.values())).all()


def test_a_model_is_asked_for_once_the_log_is_long_enough(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    landed = [shift(DS, -68), DS]
    monkeypatch.setattr(log_length, "landed_days", lambda settings: landed)
    assert model_of_day(home, DS) == NO_MODEL
    assert log_length.trains_from(home, DS) == shift(DS, 1)
    assert model_of_day(home, shift(DS, 1)) is None
    assert model_of_day(home, shift(DS, 1), NO_MODEL) == NO_MODEL
