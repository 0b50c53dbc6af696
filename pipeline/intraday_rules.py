"""Rules across the columns of a row of the intraday tables; see `pipeline/tables/rules.py`."""

from collections.abc import Callable

from pipeline.runtime.settings import Settings
from pipeline.tables.schema import RowRule

Rules = Callable[[Settings], list[RowRule]]

OWN_HOUR: RowRule = ("hour is one of ds", "left(hour, 10) = ds", ("hour",))
LATER_BASE: RowRule = ("base_ds is before ds", "base_ds < ds", ("hour", "base_ds"))


def intraday_rules(user_history: Rules, user_features: Rules) -> dict[str, Rules]:
    """By table; rows of users keep to the rules of the tables that they go before."""
    return {
        "user_history_intraday": lambda settings: [*user_history(settings), OWN_HOUR],
        "user_features_intraday": lambda settings: [
            *user_features(settings),
            OWN_HOUR,
            LATER_BASE,
        ],
        "intraday_refreshes": _intraday_refreshes,
    }


def _intraday_refreshes(settings: Settings) -> list[RowRule]:
    counts = ("hour", "records", "events", "duplicates", "quarantined")
    return [
        OWN_HOUR,
        LATER_BASE,
        (
            "records = events + duplicates + quarantined",
            "records = events + duplicates + quarantined",
            counts,
        ),
        ("records come from files", "len(files) > 0 OR records = 0", counts),
        (
            "files have times, the first before the last",
            "CASE WHEN len(files) = 0 THEN first_landed_at IS NULL AND last_landed_at IS NULL "
            "ELSE first_landed_at <= last_landed_at END",
            ("hour", "first_landed_at", "last_landed_at"),
        ),
    ]
