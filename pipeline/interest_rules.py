"""Rules across the columns of a row of the tables of interests; see table_rules.py."""

from pipeline.runtime.settings import Settings
from pipeline.tables.schema import RowRule

DRIFT = ("drift_from_topic", "drift_to_topic", "drift_since_ds", "drift_found_ds")
ALARM = 0.05  # p-value up to which a change is told


def _user_interests(settings: Settings) -> list[RowRule]:
    who = ("user_id", "drift_stage")
    nulls = " AND ".join(f"({name} IS NULL) = (drift_stage = 'stable')" for name in DRIFT)
    rules: list[RowRule] = [
        ("the columns of a drift are null while stable, and only then", nulls, (*who, *DRIFT)),
        (
            "drift_since_ds <= drift_found_ds <= ds",
            "drift_stage = 'stable' OR (drift_since_ds <= drift_found_ds AND drift_found_ds <= ds)",
            (*who, "drift_since_ds", "drift_found_ds"),
        ),
        (
            "a drift goes from one topic to another",
            "drift_stage = 'stable' OR drift_from_topic IS DISTINCT FROM drift_to_topic",
            (*who, *DRIFT),
        ),
        (
            f"a drift that is told has a drift_p_value of at most {ALARM}",
            f"drift_stage = 'stable' OR drift_p_value <= {ALARM}",
            (*who, "drift_p_value"),
        ),
        (
            "interest_events_short is at most interest_events_long",
            "interest_events_short <= interest_events_long + 0.001",
            ("user_id", "interest_events_short", "interest_events_long"),
        ),
        (
            "weeks match weekly_topics",
            "len(weeks) = len(weekly_topics)",
            ("user_id", "weeks", "weekly_topics"),
        ),
        (
            "weeks are distinct, oldest first, up to ds",
            "weeks = list_sort(list_distinct(weeks)) AND coalesce(weeks[-1] <= ds, true)",
            ("user_id", "weeks"),
        ),
    ]
    for name in ("interests_long", "interests_short"):
        rules += _shares(name)
    return rules


def _shares(name: str) -> list[RowRule]:
    shares = f"list_transform({name}, lambda x: x.share::DOUBLE)"
    topics = f"list_transform({name}, lambda x: x.topic_id)"
    return [
        (
            f"shares of {name} sum to 1, or there are none",
            f"len({name}) = 0 OR abs(list_sum({shares}) - 1) < 0.001",
            ("user_id", name),
        ),
        (f"{name} are most first", f"{shares} = list_reverse_sort({shares})", ("user_id",)),
        (f"{name} are distinct", f"len(list_distinct({topics})) = len({name})", ("user_id",)),
    ]


def _migrations(settings: Settings) -> list[RowRule]:
    monday = "coalesce(isodow(try_cast(week AS DATE)) = 1, false)"
    return [("week is a Monday up to ds", f"{monday} AND week <= ds", ("week",))]


def _migration_patterns(settings: Settings) -> list[RowRule]:
    return [
        ("share is 0 without users, and only then", "(share > 0) = (users > 0)", ("pattern",)),
        ("switches need two topics", "switches = 0 OR topics > 1", ("pattern", "switches")),
    ]


INTEREST_RULES = {
    "user_interests": _user_interests,
    "migrations": _migrations,
    "migration_patterns": _migration_patterns,
}
