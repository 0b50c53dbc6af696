"""Gaps, baskets and returns of a user, against values worked out by hand."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.runtime.days import shift
from pipeline.tables.registry import USER_HISTORY
from training.data.arrow import day_number
from training.data.rhythm import RHYTHM, rhythm

DS = "2024-06-01"
DAILY = USER_HISTORY.schema.field("daily").type


def day(ago: int, kind: str, events: int = 1, value: float = 0.0, platform: str = "shop") -> dict:
    return {
        "arrival_ds": shift(DS, -ago),
        "platform": platform,
        "event_type": kind,
        "events": events,
        "quantity": float(events),
        "value": value,
    }


def of(*users: list[dict]) -> list[dict[str, float]]:
    """The rhythm of users by name, before the logarithm."""
    found = rhythm(pa.array(list(users), DAILY), np.full(len(users), day_number(DS)))
    return [dict(zip(RHYTHM, np.expm1(row.astype(np.float64)), strict=True)) for row in found]


def test_visits_and_baskets_by_hand() -> None:
    buyer = of(
        [
            day(2, "purchase", events=3, value=30.0),
            day(2, "purchase", events=1, value=5.0, platform="market"),  # the same day: one visit
            day(12, "purchase", events=2, value=10.0),
            day(42, "purchase", events=6, value=45.0),
            day(42, "return", events=2, value=9.0),
            day(0, "view"),
        ]
    )[0]
    expected = {
        "purchase_visit_2_ago": 12,
        "purchase_visit_3_ago": 42,
        "purchase_gap_last": 10,
        "purchase_gap_mean": 20,
        "purchase_gap_spread": 10,
        "purchase_gap_longest": 30,
        "purchase_rate": 3 / 72,
        "purchase_overdue": 0.1,
        "purchase_decayed_14d": 0.5 ** (2 / 14) + 0.5 ** (12 / 14) + 0.5**3,
        "active_visit_2_ago": 2,
        "active_gap_last": 2,
        "basket_last": 4,
        "basket_mean": 4,
        "basket_largest": 6,
        "value_last": 35,
        "value_mean": 30,
        "return_recency": 42,
        "return_days_share": 1 / 3,
        "returns_share": 2 / 12,
        "returned_value_share": 0.1,
        "bought_a_year_ago": 0,
    }
    assert {name: buyer[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_what_a_single_event_leaves_undefined_is_nan_and_no_user_disturbs_another() -> None:
    once, nobody, late = of([day(5, "purchase", value=3.0)], [], [day(340, "purchase"), day(5, "purchase")])
    for name in ("purchase_visit_2_ago", "purchase_gap_mean", "purchase_overdue"):
        assert np.isnan(once[name])
    assert once["purchase_decayed_28d"] == pytest.approx(0.5 ** (5 / 28), rel=1e-5)
    assert np.isnan(nobody["basket_last"]) and nobody["return_days"] == 0
    assert late["bought_a_year_ago"] == pytest.approx(1) and once["bought_a_year_ago"] == 0
    assert late["purchase_gap_last"] == pytest.approx(335, rel=1e-5)


def test_values_that_are_no_numbers_count_as_nothing() -> None:
    user = of([day(5, "purchase", value=float("nan")), day(9, "return", value=float("inf"))])[0]
    assert user["value_last"] == 0
    assert not np.isinf(list(user.values())).any()
