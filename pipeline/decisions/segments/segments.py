"""Campaign segments: named conditions over the columns of `user_features`, as DuckDB's SQL.

A condition that is null is not met. Users whose behaviour is unlike that of a person that buys for itself belong to
`unusual` alone. docs/reference/signals.md says what may be done with the members.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Segment:
    """`within` names the segment that it is a part of, see segment_members.py."""

    name: str
    meaning: str
    condition: str
    within: str = ""


UNUSUAL = Segment("unusual", "accounts to keep out of campaigns", "anomaly_reason IS NOT NULL")
_MOVING = "drift_stage IN ('shifting', 'shifted')"


def _top_tenth(column: str, among: str = "true") -> str:
    edge = f"SELECT quantile_cont({column}, 0.9) FROM features WHERE {among}"
    return f"{column} >= ({edge}) AND {column} > 0"


def _due(first: int, last: int) -> str:
    day = "try_cast(e.due_ds AS DATE) - try_cast(ds AS DATE)"
    return f"len(list_filter(due_again, lambda e: {day} BETWEEN {first} AND {last})) > 0"


SEGMENTS = (
    UNUSUAL,
    Segment("new_and_engaged", "new users who came on three days or more", "segment = 'new' AND active_days_28d >= 3"),
    Segment(
        "new_without_purchase",
        "new users who came and have not bought yet",
        "segment = 'new' AND active_days_28d > 0 AND purchases_365d = 0",
    ),
    Segment("cold_start", "users of whom too little is known to go by their own events", "is_cold_start"),
    Segment("regulars", "users who come often and evenly", "segment = 'regular'"),
    Segment("fading_regulars", "regulars who stay away for longer than they use to", "segment = 'fading'"),
    Segment(
        "lapsed_buyers",
        "users who bought three times or more and stay away",
        "segment = 'lapsed' AND purchases_365d >= 3",
    ),
    Segment("likely_buyers", "the tenth of users likeliest to buy within 7 days", _top_tenth("p_purchase_7d")),
    Segment(
        "likely_returners", "the tenth of users likeliest to send something back in 28 days", _top_tenth("p_return_28d")
    ),
    Segment(
        "likely_to_leave",
        "of users who came within 28 days, the tenth likeliest to stay away for 28 days",
        f"active_days_28d > 0 AND {_top_tenth('p_churn_28d', 'active_days_28d > 0')}",
    ),
    Segment("best_customers", "the tenth of users who spent most in 365 days", _top_tenth("spend_365d")),
    Segment(
        "bargain_hunters",
        "the tenth of users who look at dear things and buy cheap ones most",
        _top_tenth("price_sensitivity"),
    ),
    Segment(
        "premium_buyers",
        "the tenth of buyers who pay most, beside the usual price of topics",
        _top_tenth("price_level"),
    ),
    Segment(
        "left_in_cart",
        "users with something in the cart and no purchase in 28 days",
        "carts_28d > 0 AND purchases_28d = 0",
    ),
    Segment(
        "searching",
        "users who searched of late and bought nothing in 28 days",
        "len(search_intents) > 0 AND purchases_28d = 0",
    ),
    Segment("due_this_week", "users who use to buy something again in these 7 days", _due(1, 7)),
    Segment("overdue", "users who used to buy something again in the 7 days before", _due(-6, 0)),
    Segment("explorers", "the tenth of users whose interests are spread most", _top_tenth("topic_entropy")),
    Segment(
        "devoted",
        "users with four fifths of their interest in one topic",
        "interests_long[1].share >= 0.8 AND interest_events_long >= 5",
    ),
    Segment("moving_on", "users whose interests shift to another topic", _MOVING),
    Segment("reviving", "users who come back to an interest of old", "drift_stage = 'reviving'"),
    Segment("losing_interest", "users whose interest fades without another one", "drift_stage = 'fading'"),
    Segment("happy_reviewers", "users whose reviews sound good", "sentiment >= 0.5 AND reviews >= 2"),
    Segment("unhappy_reviewers", "users whose reviews sound bad", "sentiment <= -0.3"),
)


def with_topics(topics: list[tuple[str, str]]) -> list[Segment]:
    """SEGMENTS, and one per topic (id and name) that users move to."""
    moving = [
        Segment(
            f"moving_to_{topic}",
            f"users whose interests shift to {name}",
            f"{_MOVING} AND drift_to_topic = '{topic}'",
            within="moving_on",
        )
        for topic, name in sorted(topics)
    ]
    return [*SEGMENTS, *moving]


def condition(segment: Segment) -> str:
    """SQL that is true for the members of a segment and false for all others."""
    usual = "" if segment is UNUSUAL else f" AND NOT ({UNUSUAL.condition})"
    return f"coalesce(({segment.condition}){usual}, false)"
