"""Rules across the columns of a row of the tables of signals and segments; see table_rules.py."""

from pipeline.runtime.settings import Settings
from pipeline.tables.schema import RowRule

REASON_FROM = 0.5  # the anomaly score of one user of a thousand
TOLERANCE = 1e-6


def _user_signals(settings: Settings) -> list[RowRule]:
    who = ("user_id",)
    due = "list_transform(due_again, lambda e: e.due_ds)"
    weights = "list_transform(search_intents, lambda e: e.weight)"
    endless = "lambda e: NOT e.cycle_days > 0"
    stages = "segment NOT IN ('regular', 'fading') OR is_regular"
    return [
        ("regular and fading users are regulars", stages, (*who, "segment", "is_regular")),
        ("only regulars fade", "is_regular OR fading = 0", (*who, "fading")),
        (
            f"anomaly_reason is null below {REASON_FROM} and not above",
            f"abs(anomaly_score - {REASON_FROM}) <= {TOLERANCE} "
            f"OR (anomaly_reason IS NOT NULL) = (anomaly_score > {REASON_FROM})",
            (*who, "anomaly_score", "anomaly_reason"),
        ),
        ("due_again is soonest first", f"{due} = list_sort({due})", who),
        (
            "cycles last longer than 0 days",
            f"len(list_filter(due_again, {endless})) = 0",
            who,
        ),
        (
            "search_intents are most first",
            f"{weights} = list_reverse_sort({weights})",
            who,
        ),
        (
            "sentiment is null without reviews and not with",
            "(sentiment IS NULL) = (reviews = 0)",
            (*who, "sentiment", "reviews"),
        ),
    ]


def _segments(settings: Settings) -> list[RowRule]:
    floor, shown = settings.segment_floor, ("segment", "users", "is_exported")
    return [
        ("users is null unless exported", "(users IS NOT NULL) = is_exported", shown),
        (f"users is null or at least {floor}", f"users IS NULL OR users >= {floor}", shown),
    ]


SIGNAL_RULES = {"user_signals": _user_signals, "segments": _segments}
