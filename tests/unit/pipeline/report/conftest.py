"""A home with two nights, small enough to count by hand."""

import pytest

from pipeline.runtime.settings import Settings
from tests.unit.pipeline.report.published import publish_rows, user

HOSTILE = "<script>alert('x')</script> & \"手作り\" سجاد 🧘"
BEFORE, NIGHT = "2024-03-04", "2024-03-05"


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Ten users on the night before, twelve on the night; topic t0002 has a hostile name.

    Shared: a test may add days after these and pages, nothing else.
    """
    home = Settings(home=tmp_path_factory.mktemp("nights"))
    for ds, users in ((BEFORE, 10), (NIGHT, 12)):
        people = [user(n) for n in range(users)]
        publish_rows(
            home,
            "accounting",
            ds,
            [
                {
                    "platform": "shop",
                    "rows_landed": users * 2,
                    "events": users,
                    "duplicates": 1,
                    "quarantined": users - 1,
                    "quarantine_reasons": [{"reason": HOSTILE, "rows": users - 1}],
                },
            ],
        )
        publish_rows(home, "sessions", ds, [{"session_id": f"s{n}"} for n in range(users)])
        publish_rows(home, "items", ds, [{"item_id": f"shop:{n}"} for n in range(100)])
        publish_rows(home, "user_history", ds, [{"user_id": it} for it in people])
        publish_rows(
            home,
            "user_features",
            ds,
            [
                {"user_id": it, "is_cold_start": n < 5, "p_click_7d": 0.1 * n if ds == BEFORE else 0.95}
                for n, it in enumerate(people)
            ],
        )
        publish_rows(
            home,
            "user_interests",
            ds,
            [
                {
                    "user_id": it,
                    "drift_stage": "shifted" if n < 6 else "stable",
                    "drift_from_topic": "t0001",
                    "drift_to_topic": "t0002",
                    "interests_short": [
                        {"topic_id": "t0002", "share": 1.0 if n < 6 else 0.0},
                        {"topic_id": "t0001", "share": 0.0 if n < 6 else 1.0},
                    ],
                }
                for n, it in enumerate(people)
            ],
        )
        publish_rows(
            home,
            "user_signals",
            ds,
            [
                {
                    "user_id": it,
                    "segment": "active" if n < 9 else "lapsed",
                    "anomaly_reason": "too_fast" if n < 5 else "rare" if n == 5 else None,
                }
                for n, it in enumerate(people)
            ],
        )
        publish_rows(
            home,
            "topics",
            ds,
            [
                {"topic_id": "t0001", "name": "candles", "born_ds": "2024-01-01"},
                {"topic_id": "t0002", "name": HOSTILE, "born_ds": ds},
            ],
        )
        publish_rows(
            home,
            "migrations",
            ds,
            [
                {"week": "2024-02-26", "from_topic": a, "to_topic": b, "users": n, "share": 0.5}
                for a, b, n in (("t0001", "t0001", 6), ("t0001", "t0002", 5), ("t0002", "t0001", 3))
            ],
        )
        publish_rows(home, "migration_patterns", ds, [{"users": 12}, {"pattern": HOSTILE, "users": 2}])
        publish_rows(
            home,
            "segments",
            ds,
            [
                {"segment": "movers", "meaning": HOSTILE, "users": 60, "is_exported": True},
                {"segment": "few", "users": None},
            ],
        )
    return home
