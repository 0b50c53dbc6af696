"""What the steps before scoring say of users: rows of the tables that `user_features` joins."""

import pyarrow as pa

from pipeline.runtime.days import shift
from pipeline.tables.interests import USER_INTERESTS, USER_SIGNALS


def interests(user_ids: list[str], ds: str) -> pa.Table:
    """Rows of `user_interests`: user n moves from topic n to topic n + 1."""
    rows = [
        {
            "ds": ds,
            "user_id": user,
            "interests_long": [{"topic_id": _topic(n), "share": 1.0}],
            "interests_short": [{"topic_id": _topic(n + 1), "share": 1.0}],
            "interest_events_long": n + 0.5,
            "interest_events_short": n + 0.25,
            "topic_entropy": 0.0,
            "drift_score": 0.5,
            "drift_p_value": 0.01,
            "drift_from_topic": _topic(n),
            "drift_to_topic": _topic(n + 1),
            "drift_since_ds": shift(ds, -7),
            "drift_found_ds": ds,
            "drift_stage": "shifting",
            "weekly_topics": [_topic(n), _topic(n + 1)],
            "weeks": [shift(ds, -14), shift(ds, -7)],
            "pattern": None,
        }
        for n, user in enumerate(user_ids)
    ]
    return pa.Table.from_pylist(rows, schema=USER_INTERESTS.schema)


def signals(user_ids: list[str], ds: str) -> pa.Table:
    """Rows of `user_signals`: user n wrote n reviews."""
    rows = [
        {
            "ds": ds,
            "user_id": user,
            "segment": "active",
            "usual_gap_days": None,
            "is_regular": False,
            "fading": 0.0,
            "anomaly_score": 0.0,
            "anomaly_reason": None,
            "return_rate": 0.1,
            "price_level": None,
            "price_sensitivity": None,
            "due_again": [],
            "search_intents": [],
            "sentiment": 0.5 if n else None,
            "reviews": n,
        }
        for n, user in enumerate(user_ids)
    ]
    return pa.Table.from_pylist(rows, schema=USER_SIGNALS.schema)


def _topic(number: int) -> str:
    return f"t{number + 1:04d}"
