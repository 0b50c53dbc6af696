"""Rules across the columns of a row, per table: what it says, SQL that holds, columns to show.

The SQL is DuckDB's; it must not raise on any row, so text is cast with `try_cast`.
"""

from pipeline.hourly_rules import HOURLY_RULES
from pipeline.interest_rules import INTEREST_RULES
from pipeline.intervention_rules import INTERVENTION_RULES
from pipeline.intraday_rules import intraday_rules
from pipeline.policy_rules import POLICY_RULES
from pipeline.runtime.settings import Settings
from pipeline.signal_rules import SIGNAL_RULES
from pipeline.tables.features import JOINED
from pipeline.tables.registry import ITEMLESS_EVENT_TYPES
from pipeline.tables.schema import RowRule
from pipeline.topic_rules import TOPIC_RULES
from pipeline.uplift_rules import UPLIFT_RULES

# The end of a day in the westernmost zone (UTC-12), and one day for clocks that run ahead.
LATEST_HOURS_AFTER_DAY_BEGINS = 24 + 12 + 24
TOLERANCE = 1e-6
ACTS = ("click", "cart", "purchase", "return")


def row_rules(table: str, settings: Settings) -> list[RowRule]:
    """The rules of a table, none where its columns say it all."""
    rules = RULES.get(table)
    return rules(settings) if rules else []


def _raw_events(settings: Settings) -> list[RowRule]:
    required = ("event_id", "user_id", "event_type", "event_time")
    present = " AND ".join(f"{name} IS NOT NULL" for name in required)
    return [
        _same_day(),
        (
            "a row without reject_reason is a whole event",
            f"reject_reason IS NOT NULL OR ({present})",
            ("reject_reason", *required, "source_file"),
        ),
    ]


def _events(settings: Settings) -> list[RowRule]:
    itemless = ", ".join(f"'{name}'" for name in ITEMLESS_EVENT_TYPES)
    return [
        _same_day(),
        (
            f"item_id is null for {', '.join(ITEMLESS_EVENT_TYPES)} only",
            f"item_id IS NOT NULL OR event_type IN ({itemless})",
            ("event_id", "event_type", "item_id"),
        ),
        (
            f"price is between 0 and {settings.max_price:.0f}",
            f"price IS NULL OR price BETWEEN 0 AND {settings.max_price}",
            ("event_id", "price"),
        ),
        (
            "quantity is positive",
            "quantity IS NULL OR (quantity > 0 AND isfinite(quantity))",
            ("event_id", "quantity"),
        ),
        (
            "event_time is at most a day after the arrival day",
            f"event_time < {_midnight('ds')} + INTERVAL {LATEST_HOURS_AFTER_DAY_BEGINS} HOUR",
            ("event_id", "event_time"),
        ),
    ]


def _quarantine(settings: Settings) -> list[RowRule]:
    return [("reason is not empty", "trim(reason) <> ''", ("reason", "source_file"))]


def _accounting(settings: Settings) -> list[RowRule]:
    counts = ("platform", "rows_landed", "events", "duplicates", "quarantined")
    by_reason = "coalesce(list_sum(list_transform(quarantine_reasons, lambda r: r.rows)), 0)"
    return [
        (
            "rows_landed = events + duplicates + quarantined",
            "rows_landed = events + duplicates + quarantined",
            counts,
        ),
        (
            "quarantine_reasons sum to quarantined",
            f"{by_reason} = quarantined",
            ("platform", "quarantined", "quarantine_reasons"),
        ),
    ]


def _sessions(settings: Settings) -> list[RowRule]:
    kinds = ("views", "searches", "carts", "purchases", "returns")
    times = ("session_id", "started_at", "ended_at", "duration_seconds")
    return [
        ("ended_at is not before started_at", "ended_at >= started_at", times),
        (
            "duration_seconds = ended_at - started_at",
            "abs(epoch(ended_at) - epoch(started_at) - duration_seconds) < 0.001",
            times,
        ),
        (
            f"a session lasts at most {settings.session_max_hours} hours",
            f"duration_seconds <= {settings.session_max_hours * 3600}",
            times,
        ),
        (
            "events by type are at most all events",
            f"{' + '.join(kinds)} <= events",
            ("session_id", "events", *kinds),
        ),
        (
            "items = distinct item_ids, at most one per event",
            "items = len(list_distinct(item_ids)) AND items <= events",
            ("session_id", "events", "items", "item_ids"),
        ),
    ]


def _items(settings: Settings) -> list[RowRule]:
    days = "first_ds <= updated_ds AND updated_ds <= ds"
    return [("first_ds <= updated_ds <= ds", days, ("item_id", "first_ds", "updated_ds"))]


def _item_embeddings(settings: Settings) -> list[RowRule]:
    squares = "list_sum(list_transform(embedding, lambda x: x::DOUBLE * x))"
    return [("embedding has length 1", f"abs({squares} - 1) < 0.001", ("item_id", "text_hash"))]


def _user_history(settings: Settings) -> list[RowRule]:
    days = "first_ds <= last_ds AND last_ds <= ds"
    return [
        ("first_ds <= last_ds <= ds", days, ("user_id", "first_ds", "last_ds")),
        (
            f"events holds at most {settings.history_events}",
            f"len(events) <= {settings.history_events}",
            ("user_id",),
        ),
        # impressions are counted and not listed, so a list may be empty, the counts never
        ("daily is not empty", "len(daily) > 0", ("user_id",)),
        ("events are oldest first", _sorted("events", "event_time"), ("user_id",)),
    ]


def _training_examples(settings: Settings) -> list[RowRule]:
    who = ("user_id", "cutoff_ds")
    return [
        ("cutoff_ds is before ds", "cutoff_ds < ds", who),
        ("events are known at the cut-off", _none("events", "e.arrival_ds > cutoff_ds"), who),
        ("future is after the cut-off", _none("future", "e.arrival_ds <= cutoff_ds"), who),
        *[(f"{act}_7d implies {act}_28d", f"NOT {act}_7d OR {act}_28d", who) for act in ACTS],
        ("churn_28d implies churn_7d", "NOT churn_28d OR churn_7d", who),
        ("churn_28d means no future", "NOT churn_28d OR len(future) = 0", who),
    ]


def _user_features(settings: Settings) -> list[RowRule]:
    less, more = "p_{}_7d", "p_{}_28d"
    ordered = [(less.format(act), more.format(act)) for act in ACTS]
    ordered.append((more.format("churn"), less.format("churn")))
    rules: list[RowRule] = [
        *[
            (f"{low} is at most {high}", f"{low} <= {high} + {TOLERANCE}", ("user_id", low, high))
            for low, high in ordered
        ],
        ("embedding is finite", "isfinite(list_sum(embedding))", ("user_id",)),
        (
            "first_ds <= last_ds <= ds",
            "first_ds <= last_ds AND last_ds <= ds",
            ("user_id", "first_ds", "last_ds"),
        ),
    ]
    for name in ("next_items", "next_new_items"):
        scores = f"list_transform({name}, lambda x: x.score)"
        items = f"list_transform({name}, lambda x: x.item_id)"
        rules += [
            (f"{name} are best first", f"{scores} = list_reverse_sort({scores})", ("user_id",)),
            (f"{name} are distinct", f"len(list_distinct({items})) = len({name})", ("user_id",)),
            (
                f"{name}_reasons match {name}",
                f"len({name}_reasons) = len({name})",
                ("user_id",),
            ),
            (
                f"{name}_because tells of entries of {name}",
                _none(f"{name}_because", f"NOT list_contains({items}, e.item_id)"),
                ("user_id",),
            ),
            (
                f"{name}_cold is at most the entries of {name}",
                f"{name}_cold <= len({name})",
                ("user_id", f"{name}_cold"),
            ),
        ]
    rules.append(
        (
            "a cold start says why",
            "NOT is_cold_start OR cold_start IS NOT NULL",
            ("user_id", "cold_start"),
        )
    )
    for table in JOINED:
        rules += row_rules(table.name, settings)
    return rules


def _same_day() -> RowRule:
    return ("arrival_ds = ds", "arrival_ds = ds", ("event_id", "arrival_ds"))


def _midnight(column: str) -> str:
    return f"(try_cast({column} AS DATE)::TIMESTAMP AT TIME ZONE 'UTC')"


def _none(events: str, condition: str) -> str:
    return f"len(list_filter({events}, lambda e: {condition})) = 0"


def _sorted(events: str, column: str) -> str:
    values = f"list_transform({events}, lambda e: e.{column})"
    return f"{values} = list_sort({values})"


RULES = {
    **POLICY_RULES,
    **INTERVENTION_RULES,
    "raw_events": _raw_events,
    "events": _events,
    "quarantine": _quarantine,
    "accounting": _accounting,
    "sessions": _sessions,
    "items": _items,
    "item_embeddings": _item_embeddings,
    "user_history": _user_history,
    "training_examples": _training_examples,
    "user_features": _user_features,
    **intraday_rules(_user_history, _user_features),
    **HOURLY_RULES,
    **INTEREST_RULES,
    **TOPIC_RULES,
    **SIGNAL_RULES,
    **UPLIFT_RULES,
}
