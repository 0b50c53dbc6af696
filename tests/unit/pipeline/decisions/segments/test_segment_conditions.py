"""The condition of every campaign segment: a user who just meets it, and one who just does not."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from pipeline.decisions.segments.segment_members import find_members
from pipeline.decisions.segments.segments import SEGMENTS
from tests.unit.pipeline import staged_factory as factory
from tests.unit.pipeline.decisions.segments.test_build_segments import Row, users

SOUGHT = [{"query": "blue mug", "topic_id": None, "weight": 1.0}]
DEVOTED = [{"topic_id": "t0001", "share": 0.8}, {"topic_id": "t0002", "share": 0.2}]
TORN = [{"topic_id": "t0001", "share": 0.79}, {"topic_id": "t0002", "share": 0.21}]
EDGES: dict[str, tuple[Row, Row]] = {
    "unusual": ({"anomaly_reason": "rare"}, {}),
    "new_and_engaged": ({"segment": "new", "active_days_28d": 3}, {"segment": "new", "active_days_28d": 2}),
    "new_without_purchase": (
        {"segment": "new", "active_days_28d": 1},
        {"segment": "new", "active_days_28d": 1, "purchases_365d": 1},
    ),
    "cold_start": ({"is_cold_start": True}, {}),
    "regulars": ({"segment": "regular"}, {"segment": "fading"}),
    "fading_regulars": ({"segment": "fading"}, {"segment": "lapsed"}),
    "lapsed_buyers": ({"segment": "lapsed", "purchases_365d": 3}, {"segment": "lapsed", "purchases_365d": 2}),
    "left_in_cart": ({"carts_28d": 1}, {"carts_28d": 1, "purchases_28d": 1}),
    "searching": ({"search_intents": SOUGHT}, {"search_intents": SOUGHT, "purchases_28d": 1}),
    "devoted": (
        {"interests_long": DEVOTED, "interest_events_long": 5.0},
        {"interests_long": TORN, "interest_events_long": 5.0},
    ),
    "moving_on": ({"drift_stage": "shifted"}, {"drift_stage": "reviving"}),
    "reviving": ({"drift_stage": "reviving"}, {"drift_stage": "shifting"}),
    "losing_interest": ({"drift_stage": "fading"}, {"drift_stage": "shifted"}),
    "happy_reviewers": ({"sentiment": 0.5, "reviews": 2}, {"sentiment": 0.5, "reviews": 1}),
    "unhappy_reviewers": ({"sentiment": -0.3, "reviews": 1}, {"sentiment": -0.29, "reviews": 1}),
}
# Of twenty users with 0 to 19 hundredths the edge of the best tenth is 17.1: 18 and 19 are above.
TENTHS = {
    "likely_buyers": "p_purchase_7d",
    "likely_returners": "p_return_28d",
    "likely_to_leave": "p_churn_28d",
    "best_customers": "spend_365d",
    "bargain_hunters": "price_sensitivity",
    "premium_buyers": "price_level",
    "explorers": "topic_entropy",
}
ELSEWHERE = {"due_this_week", "overdue"}  # test_build_segments.py


def members(folder: Path, rows: list[Row]) -> dict[str, set[int]]:
    """Numbers of the users of each segment."""
    file = folder / "features.parquet"
    pq.write_table(factory.arrow("user_features", rows), file)
    found: dict[str, set[int]] = {}
    with duckdb.connect() as database:
        find_members(database, [str(file)], list(SEGMENTS))
        for name, user in database.execute("FROM members").fetchall():
            found.setdefault(name, set()).add(int(user, 16))
    return found


def test_who_just_meets_a_condition_and_who_just_does_not(tmp_path: Path) -> None:
    rows = [row for n, name in enumerate(EDGES) for row in _both(n, *EDGES[name])]
    found = members(tmp_path, rows)
    for number, name in enumerate(EDGES):
        assert found[name] & {2 * number, 2 * number + 1} == {2 * number}, name


@pytest.mark.parametrize("name", TENTHS)
def test_the_best_tenth(tmp_path: Path, name: str) -> None:
    """Who has not come for 28 days has left already, or only saw things: no part of the tenth that will leave."""
    rows = [row for n in range(20) for row in users(1, n, active_days_28d=1, **{TENTHS[name]: n / 100})]
    away = {"p_churn_28d": 0.99, "active_days_28d": 0}
    gone = [*users(20, 100, recency_days=28, **away), *users(20, 200, recency_days=1, **away)]
    others = gone if name == "likely_to_leave" else []
    assert members(tmp_path, [*rows, *others])[name] == {18, 19}


def test_every_segment_is_told_of() -> None:
    assert {segment.name for segment in SEGMENTS} == {*EDGES, *TENTHS, *ELSEWHERE}


def _both(number: int, meets: Row, misses: Row) -> list[Row]:
    return [*users(1, 2 * number, **meets), *users(1, 2 * number + 1, **misses)]
