"""The rules of each table: a sound row breaks none, a broken row breaks exactly its own."""

from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pytest

from pipeline.runtime.settings import Settings
from pipeline.storage.audit.expectations import Rule, key_sql, rules_of
from pipeline.tables.registry import TABLES, table_named
from tests.unit.pipeline import staged_factory as factory

# table, changed columns, the rules that must name the row (and no other)
BROKEN: list[tuple[str, dict[str, object], set[str]]] = [
    (
        "events",
        {"ds": None},
        {"ds is not null", "arrival_ds = ds", "event_time is over when the event is known"},
    ),
    ("events", {"account_id": "17850"}, {"account_id matches ^[0-9a-f]{32}$"}),
    (
        "events",
        {"event_type": "click"},
        {"event_type is one of impression, view, search, cart, favorite, purchase, return, review"},
    ),
    ("events", {"arrival_ds": "2024-03-04"}, {"arrival_ds = ds"}),
    ("events", {"item_id": None}, {"item_id is null for search only"}),
    ("events", {"item_id": None, "event_type": "search"}, set()),
    ("events", {"price": 1_000_001.0}, {"price is between 0 and 1000000"}),
    ("events", {"price": -0.01}, {"price is between 0 and 1000000"}),
    ("events", {"price": float("nan")}, {"price is between 0 and 1000000"}),
    ("events", {"quantity": 0.0}, {"quantity is positive"}),
    # 36 hours after the day begins from which it is known: the day's end at UTC-12
    ("events", {"event_time": datetime(2024, 3, 6, 11, 59, 59, tzinfo=UTC)}, set()),
    ("events", {"event_time": datetime(2024, 3, 7, 11, 59, 59, tzinfo=UTC), "known_ds": "2024-03-06"}, set()),
    (
        "events",
        {"event_time": datetime(2024, 3, 6, 12, tzinfo=UTC)},
        {"event_time is over when the event is known"},
    ),
    ("raw_events", {"event_id": None}, {"a row without reject_reason is a whole event"}),
    ("raw_events", {"event_id": None, "reject_reason": "bad_time"}, set()),
    ("quarantine", {"reason": " "}, {"reason is not empty"}),
    ("accounting", {"rows_landed": 7}, {"rows_landed = events + duplicates + quarantined"}),
    ("accounting", {"quarantine_reasons": []}, {"quarantine_reasons sum to quarantined"}),
    ("accounting", {"duplicates": -1, "events": 5}, {"duplicates is at least 0"}),
    (
        "sessions",
        {"ended_at": datetime(2024, 3, 5, 11, 59, tzinfo=UTC), "duration_seconds": -60.0},
        {"ended_at is not before started_at", "duration_seconds is at least 0 and at most 86400"},
    ),
    ("sessions", {"duration_seconds": 59.0}, {"duration_seconds = ended_at - started_at"}),
    (
        "sessions",
        {"ended_at": datetime(2024, 3, 6, 12, 0, 1, tzinfo=UTC), "duration_seconds": 86_401.0},
        {"a session lasts at most 24 hours", "duration_seconds is at least 0 and at most 86400"},
    ),
    ("sessions", {"carts": 1}, {"events by type are at most all events"}),
    ("sessions", {"items": 2}, {"items = distinct item_ids, at most one per event"}),
    ("items", {"first_ds": "2024-03-06"}, {"first_ds <= updated_ds <= ds"}),
    ("item_embeddings", {"embedding": [0.6, 0.9]}, {"embedding has length 1"}),
    ("item_embeddings", {"embedding": [0.6, float("nan")]}, {"embedding has length 1"}),
    ("user_history", {"last_ds": "2024-03-06"}, {"first_ds <= last_ds <= ds"}),
    ("user_history", {"events": []}, set()),  # a user of impressions only
    ("user_history", {"events": factory.HISTORY * 1025}, {"events holds at most 1024"}),
    ("user_history", {"daily": []}, {"daily is not empty"}),
    (
        "user_history",
        {"events": [{"event_time": factory.NOON}, {"event_time": factory.NOON.replace(hour=1)}]},
        {"events are oldest first"},
    ),
    ("training_examples", {"events": factory.HISTORY}, {"events are known at the cut-off"}),
    ("training_examples", {"future": [{"arrival_ds": "2024-02-06"}]}, {"future is after the cut-off"}),
    ("training_examples", {"purchase_7d": True, "purchase_28d": False}, {"purchase_7d implies purchase_28d"}),
    ("training_examples", {"return_7d": True}, {"return_7d implies return_28d"}),
    ("training_examples", {"churn_28d": True}, {"churn_28d is no future"}),
    ("training_examples", {"churn_28d": True, "churn_7d": False, "future": []}, {"churn_28d implies churn_7d"}),
    ("training_examples", {"fold": "holdout"}, {"fold is one of train, valid, test"}),
    ("user_interests", factory.DRIFTING, set()),
    (
        "user_interests",
        {**factory.DRIFTING, "drift_stage": "stable"},
        {"the columns of a drift are null while stable, and only then"},
    ),
    (
        "user_interests",
        {**factory.DRIFTING, "drift_found_ds": None},
        {"the columns of a drift are null while stable, and only then", "drift_since_ds <= drift_found_ds <= ds"},
    ),
    (
        "user_interests",
        {**factory.DRIFTING, "drift_since_ds": "2024-03-05"},
        {"drift_since_ds <= drift_found_ds <= ds"},
    ),
    (
        "user_interests",
        {**factory.DRIFTING, "drift_found_ds": "2024-03-06"},
        {"drift_since_ds <= drift_found_ds <= ds"},
    ),
    ("user_interests", {**factory.DRIFTING, "drift_to_topic": "t0001"}, {"a drift goes from one topic to another"}),
    (
        "user_interests",
        {**factory.DRIFTING, "drift_p_value": 0.06},
        {"a drift that is told has a drift_p_value of at most 0.05"},
    ),
    ("user_interests", {"interest_events_short": 1.1}, {"interest_events_short is at most interest_events_long"}),
    ("user_interests", {"weeks": []}, {"weeks match weekly_topics"}),
    ("user_interests", {"weeks": ["2024-03-11"]}, {"weeks are distinct, oldest first, up to ds"}),
    (
        "user_interests",
        {"weeks": ["2024-03-04"] * 2, "weekly_topics": ["t0001"] * 2},
        {"weeks are distinct, oldest first, up to ds"},
    ),
    (
        "user_interests",
        {"interests_long": [], "interests_short": [], "weeks": [], "weekly_topics": []},
        set(),
    ),  # a user of whom nothing is known
    (
        "user_interests",
        {"interests_long": [{"topic_id": "t0001", "share": 0.9}]},
        {"shares of interests_long sum to 1, or there are none"},
    ),
    (
        "user_interests",
        {"interests_short": [{"topic_id": "t0001", "share": 0.25}, {"topic_id": "t0002", "share": 0.75}]},
        {"interests_short are most first"},
    ),
    (
        "user_interests",
        {"interests_short": [{"topic_id": "t0001", "share": 0.5}] * 2},
        {"interests_short are distinct"},
    ),
    ("migrations", {"week": "2024-03-05"}, {"week is a Monday up to ds"}),
    ("migrations", {"week": "2024-03-11"}, {"week is a Monday up to ds"}),
    ("migration_patterns", {"users": 0}, {"share is 0 without users, and only then"}),
    ("migration_patterns", {"users": 0, "share": 0.0, "topics": 0.0}, set()),
    ("migration_patterns", {"switches": 1.0}, {"switches need two topics"}),
    ("topics", {"born_ds": "2024-03-06"}, {"born_ds <= ds"}),
    ("topics", {**factory.MERGED, "ended_ds": "2024-03-06"}, {"born_ds <= ended_ds <= ds"}),
    ("topics", factory.MERGED, set()),
    ("topics", {**factory.MERGED, "ended_ds": None, "items": 1}, {"ended_how tells of topics with ended_ds"}),
    ("topics", {**factory.MERGED, "merged_into": None}, {"merged_into tells of merged topics"}),
    ("topics", {**factory.MERGED, "ended_how": "died"}, {"merged_into tells of merged topics"}),
    ("topics", {**factory.MERGED, "items": 1}, {"a topic has items until it ends"}),
    ("topics", {"items": 0}, {"a topic has items until it ends"}),
    ("topics", {"split_from": "t0001"}, {"a topic neither comes out of itself nor goes into itself"}),
    ("topics", {"centroid": [0.6, 0.9]}, {"centroid has length 1"}),
    (
        "user_features",
        {"p_churn_28d": 1.5},
        {"p_churn_28d is at least 0 and at most 1", "p_churn_28d is at most p_churn_7d"},
    ),
    (
        "user_features",
        {"p_churn_28d": float("nan")},
        {"p_churn_28d is at least 0 and at most 1", "p_churn_28d is at most p_churn_7d"},
    ),
    ("user_features", {"p_purchase_7d": 0.3}, {"p_purchase_7d is at most p_purchase_28d"}),
    ("user_features", {"p_churn_7d": 0.4}, {"p_churn_28d is at most p_churn_7d"}),
    ("user_features", {"embedding": [float("inf"), 0.0]}, {"embedding is finite"}),
    (
        "user_features",
        {"next_items": factory.SCORED[:49]},
        {"next_items has 50 elements", "next_items_reasons match next_items"},
    ),
    ("user_features", {"next_items": factory.SCORED[::-1]}, {"next_items are best first"}),
    ("user_features", {"next_new_items": [{"item_id": "shop:1", "score": 1.0}] * 50}, {"next_new_items are distinct"}),
    ("user_features", {"next_items_reasons": factory.REASONS[:49]}, {"next_items_reasons match next_items"}),
    ("user_history_intraday", {"hour": "2024-03-06T00"}, {"hour is one of ds"}),
    ("user_history_intraday", {"hour": "2024-03-05T24"}, {"hour matches ^\\d{4}-\\d{2}-\\d{2}T([01]\\d|2[0-3])$"}),
    ("user_history_intraday", {"daily": []}, {"daily is not empty"}),
    ("user_features_intraday", {"base_ds": "2024-03-05"}, {"base_ds is before ds"}),
    ("user_features_intraday", {"p_purchase_7d": 0.3}, {"p_purchase_7d is at most p_purchase_28d"}),
    ("intraday_refreshes", {"records": 7}, {"records = events + duplicates + quarantined"}),
    ("intraday_refreshes", {"files": []}, {"records come from files", "files have times, the first before the last"}),
    ("intraday_refreshes", {"first_landed_at": None}, {"files have times, the first before the last"}),
    (
        "intraday_refreshes",
        {"first_landed_at": factory.NOON.replace(hour=13)},
        {"files have times, the first before the last"},
    ),
    (
        "intraday_refreshes",
        {
            "files": [],
            "records": 0,
            "events": 0,
            "duplicates": 0,
            "quarantined": 0,
            "first_landed_at": None,
            "last_landed_at": None,
        },
        set(),
    ),
    ("hourly_judgements", {"candidate": None}, {"a candidate serves only where it gained"}),
    ("hourly_judgements", {"candidate_gain": -0.001}, {"a candidate serves only where it gained"}),
    (
        "hourly_judgements",
        {"candidate_gain_high": 0.0},
        {"candidate_gain_low <= candidate_gain <= candidate_gain_high"},
    ),
    ("hourly_judgements", {"decision": "rollback"}, {"the champion serves after a rollback"}),
    ("hourly_judgements", {"decision": "keep"}, {"else what served goes on"}),
    ("hourly_judgements", {"decision": "wait", "serves": "1", "next_candidate": None}, set()),
    ("user_signals", {"segment": "fading"}, {"regular and fading users are regulars"}),
    ("user_signals", {"segment": "regular", "is_regular": True, "fading": 0.8}, set()),
    ("user_signals", {"fading": 0.2}, {"only regulars fade"}),
    ("user_signals", {"anomaly_score": 0.6}, {"anomaly_reason is null below 0.5 and not above"}),
    ("user_signals", {"anomaly_reason": "busiest_day"}, {"anomaly_reason is null below 0.5 and not above"}),
    ("user_signals", {"anomaly_score": 0.6, "anomaly_reason": "busiest_day"}, set()),
    (
        "user_signals",
        {"due_again": [{"due_ds": "2024-03-09", "cycle_days": 7.0}, {"due_ds": "2024-03-08", "cycle_days": 7.0}]},
        {"due_again is soonest first"},
    ),
    ("user_signals", {"due_again": [{"due_ds": "2024-03-09", "cycle_days": 0.0}]}, {"cycles last longer than 0 days"}),
    (
        "user_signals",
        {"search_intents": [{"query": "a", "weight": 0.2}, {"query": "b", "weight": 0.8}]},
        {"search_intents are most first"},
    ),
    ("user_signals", {"reviews": 1}, {"sentiment is null without reviews and not with"}),
    ("user_signals", {"sentiment": 0.5}, {"sentiment is null without reviews and not with"}),
    ("user_signals", {"segment": "gone"}, {"segment is one of new, active, regular, fading, lapsed"}),
    ("review_sentiments", {"sentiment": 1.5}, {"sentiment is at least -1 and at most 1"}),
    ("review_sentiments", {"sentiment": float("nan")}, {"sentiment is at least -1 and at most 1"}),
    ("segments", {"users": 60}, {"users is null unless exported"}),
    ("segments", {"is_exported": True}, {"users is null unless exported"}),
    ("segments", {"users": 49, "is_exported": True}, {"users is null or at least 50"}),
    ("segments", {"users": 50, "is_exported": True}, set()),
    ("segments", {"segment": "Fading regulars"}, {"segment matches ^[a-z][a-z0-9_]*$"}),
    ("identities", {"since_ds": "2024-03-06"}, {"since_ds <= ds"}),
    ("segment_members", {"user_id": "u"}, {"user_id matches ^[0-9a-f]{32}$"}),
    (
        "user_features",
        {"next_items_because": [{**factory.BECAUSE[0], "item_id": "shop:99"}]},
        {"next_items_because tells of entries of next_items"},
    ),
    (
        "user_features",
        {"next_items_cold": 51},
        {"next_items_cold is at least 0 and at most 50", "next_items_cold is at most the entries of next_items"},
    ),
    ("user_features", {"cold_start": None}, {"a cold start says why"}),
]


def broken_rules(table: str, rows: list[dict[str, object]], rules: list[Rule]) -> set[str]:
    loose = pa.schema([field.with_nullable(True) for field in table_named(table).schema])
    staged = pa.Table.from_pylist(rows, schema=loose)  # also what a file could not hold
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("staged", staged)
        counts = ", ".join(f"count(*) FILTER (WHERE {rule.breaks})" for rule in rules)
        found = connection.execute(f"SELECT {counts} FROM staged").fetchone()
    assert found is not None
    return {rule.says for rule, rows in zip(rules, found, strict=True) if rows}


@pytest.mark.parametrize("table", TABLES)
def test_a_sound_row_breaks_no_rule(table: str) -> None:
    rules = rules_of(table_named(table), Settings())
    assert broken_rules(table, [factory.SOUND[table]], rules) == set()


@pytest.mark.parametrize(("table", "changes", "expected"), BROKEN)
def test_a_broken_row_breaks_its_rules(table: str, changes: dict[str, object], expected: set[str]) -> None:
    row = {**factory.SOUND[table], **changes}
    assert broken_rules(table, [row], rules_of(table_named(table), Settings())) == expected


@pytest.mark.parametrize("table", TABLES)
def test_every_required_column_and_the_key_have_a_rule(table: str) -> None:
    declared = table_named(table)
    says = [rule.says for rule in rules_of(declared, Settings())]
    for column in declared.columns:
        assert (f"{column.name} is not null" in says) == column.required
    assert len(set(says)) == len(says)  # `says` names a rule
    assert any("unique" in text for text in says) == bool(declared.key)


def test_the_key_is_unique_within_a_day_and_not_across_days() -> None:
    rules = rules_of(table_named("events"), Settings())
    other_day = factory.event(1, ds="2024-03-06", arrival_ds="2024-03-06")
    assert broken_rules("events", [factory.event(1), other_day], rules) == set()
    twice = broken_rules("events", [factory.event(1), factory.event(1)], rules)
    assert twice == {"event_id is unique within ds"}


def test_the_key_hash_tells_columns_apart() -> None:
    with duckdb.connect() as connection:
        query = f"SELECT count(DISTINCT {key_sql(('a', 'b'))}) FROM (VALUES ('d', 'x', 'yz'), \
            ('d', 'xy', 'z'), ('d', 'x', NULL), ('d', NULL, 'x'), ('dx', '', 'yz')) t(ds, a, b)"
        assert connection.execute(query).fetchone() == (5,)


def test_a_small_catalogue_allows_shorter_lists() -> None:
    lists = {"next_items": factory.SCORED[:7], "next_items_reasons": factory.REASONS[:7]}
    row = {**factory.SOUND["user_features"], **lists}
    table = table_named("user_features")
    assert broken_rules("user_features", [row], rules_of(table, Settings(), {"next_items": 7})) == set()
    eight = broken_rules("user_features", [row], rules_of(table, Settings(), {"next_items": 8}))
    assert eight == {"next_items has 8 to 50 elements"}


def test_the_settings_move_the_rules() -> None:
    rules = rules_of(table_named("events"), Settings(max_price=5))
    assert broken_rules("events", [factory.event(1)], rules) == {"price is between 0 and 5"}
