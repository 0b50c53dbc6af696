"""Who is meant by each kind, and what is said of them."""

import pytest

from pipeline.runtime.days import shift
from tests.unit.pipeline.decisions.interventions.intervention_home import (
    LAST,
    declare,
    kind,
    listed,
    put_events,
    put_prices,
    put_users,
    who,
)

REGULAR = {"is_regular": True, "usual_gap_days": 3.25, "fading": 0.95, "recency_days": 12}
LOOK = {"price": 20.0}


def test_a_regular_who_stays_away(home) -> None:
    put_users(
        home,
        {
            0: REGULAR,
            1: {**REGULAR, "fading": 0.89},
            2: {**REGULAR, "is_regular": False},
            3: {**REGULAR, "recency_days": 85},
            4: {**REGULAR, "fading": 0.99},
            5: {**REGULAR, "anomaly_reason": "fast_pace"},
        },
    )
    declare(home, kind("fading_regular"))
    best, second = listed(home)
    assert who([best, second]) == [("fading_regular", 4), ("fading_regular", 0)]
    assert (second["place"], second["item_id"], second["days_silent"]) == (2, None, 12)
    assert second["score"] == second["fading"] == pytest.approx(0.95)
    assert second["reason"] == ("usually here every 3.2 days, silent for 12 days: unusual for this user (0.95 of 1)")
    assert second["suggested_action"] == "call fading_regular"
    assert second["expires_ds"] == shift(LAST, 3)


def test_a_purchase_that_may_come_back(home) -> None:
    put_users(home, {n: {"p_return_28d": 0.2 + n / 100} for n in range(4)} | {9: {}})
    put_events(
        home,
        (5, 0, "purchase", "shop:1"),  # too long ago
        (1, 1, "purchase", "shop:1"),
        (0, 1, "purchase", "shop:2"),  # the newer one is meant
        (2, 2, "purchase", "shop:1"),
        (0, 2, "return", "shop:1"),  # has come back
        (2, 3, "return", "shop:1"),
        (1, 3, "purchase", "shop:1"),  # bought again since
        (0, 9, "purchase", "shop:1"),  # p_return_28d 0.01
        (0, 8, "purchase", "shop:1"),  # not in user_features
    )
    declare(home, kind("return_risk"))
    first, second = listed(home)
    assert who([first, second]) == [("return_risk", 3), ("return_risk", 1)]
    assert (second["item_id"], second["bought_ds"]) == ("shop:2", LAST)
    assert second["reason"] == (f"bought it on {LAST}; sends something back within 28 days: 21%")


def test_an_item_that_is_cheaper_than_when_it_was_looked_at(home) -> None:
    put_users(home, {n: {} for n in range(8)})
    put_prices(
        home,
        {
            "shop:1": [20.0, 20.0, 15.0],
            "shop:2": [15.0, 20.0, 15.0],
            "shop:3": [20.0, 20.0, 18.5],
            "shop:4": [20.0, None, 0.0],
            "shop:5": [None, None, 15.0],
            "shop:6": [20.0, 20.0, 5.0],
        },
    )
    put_events(
        home,
        (9, 0, "view", "shop:1", LOOK),
        (1, 0, "cart", "shop:1", {"price": 25.0, "quantity": 1.0}),
        (2, 1, "view", "shop:1", {"price": 16.0}),  # 15 is no tenth less
        (2, 2, "view", "shop:1", LOOK),
        (1, 2, "purchase", "shop:1", LOOK),  # bought since
        (2, 3, "view", "shop:2", LOOK),  # was 15 before it was 20
        (2, 3, "view", "shop:3", LOOK),  # 7.5% less
        (2, 3, "view", "shop:4", LOOK),  # no price, and for nothing
        (2, 3, "view", "shop:5", LOOK),  # no price before
        (2, 4, "favorite", "shop:1"),  # what it was that night
        (1, 5, "cart", "shop:1", {"price": 12.0, "quantity": 10.0}),  # by quantity: that night's
        (28, 6, "view", "shop:1", LOOK),  # too long ago
        (2, 7, "view", "shop:6", LOOK),
        (0, 1, "purchase", "shop:6", {"price": 5.0, "quantity": 12.0}),  # 5 is for a dozen
    )
    declare(home, kind("price_drop"))
    rows = listed(home)
    assert who(rows) == [("price_drop", 0), ("price_drop", 4), ("price_drop", 5)]
    names = ("item_id", "looked_as", "looked_ds", "price_seen", "price_before", "price_now")
    assert [rows[0][name] for name in names] == ["shop:1", "cart", shift(LAST, -1), 25, 20, 15]
    assert [rows[1][name] for name in names[1:4]] == ["favorite", shift(LAST, -2), 20]
    assert [rows[2][name] for name in names[1:4]] == ["cart", shift(LAST, -1), 20]
    assert [row["score"] for row in rows] == [0.25] * 3  # the lower of 25 and 20 is what counts
    assert rows[0]["reason"] == (
        f"put it into the cart on {shift(LAST, -1)} at 25.00 and did not buy it; 15.00 now, "
        "at least 25% less than then and than on the nights before"
    )


def test_the_best_of_several_drops_is_meant(home) -> None:
    put_users(home, {0: {}})
    put_prices(home, {"shop:1": [20.0, 15.0], "shop:2": [20.0, 10.0]})
    put_events(home, (1, 0, "view", "shop:1", LOOK), (1, 0, "view", "shop:2", LOOK))
    declare(home, kind("price_drop"))
    [row] = listed(home)
    assert (row["item_id"], row["score"]) == ("shop:2", 0.5)


def test_what_is_due_in_the_next_days(home) -> None:
    def due(*days: int) -> dict:
        entries = [
            {"topic_id": "t0001", "item_id": f"shop:{n}", "due_ds": shift(LAST, n), "cycle_days": 30.4} for n in days
        ]
        return {"due_again": entries, "p_purchase_7d": 0.5}

    put_users(home, {0: due(0, 2, 3), 1: due(4), 2: due(), 3: due(0)})
    declare(home, kind("due_again"))
    [row] = listed(home)
    assert who([row]) == [("due_again", 0)]
    assert (row["item_id"], row["due_ds"], row["score"]) == ("shop:2", shift(LAST, 2), 0.5)
    assert row["reason"] == f"buys it every 30 days, due again on {shift(LAST, 2)}"
