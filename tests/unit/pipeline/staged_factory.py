"""One sound row per table, and staging of rows as a job does it."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.staging import Manifest, Receipt
from pipeline.tables.registry import NEXT_ITEMS, table_named

DAY = "2024-03-05"
USER = "0123456789abcdef0123456789abcdef"
NOON = datetime(2024, 3, 5, 12, tzinfo=UTC)
EVENT = {
    "ds": DAY,
    "platform": "shop",
    "event_id": "e" * 32,
    "account_id": USER,
    "item_id": "shop:1",
    "event_type": "purchase",
    "event_time": NOON,
    "arrival_ds": DAY,
    "quantity": 2.0,
    "price": 9.5,
    "attributes": [("order", "7")],
}
HISTORY = [
    {"item_id": "shop:1", "event_type": "view", "event_time": NOON, "arrival_ds": DAY},
]
SCORED = [{"item_id": f"shop:{n}", "score": 1.0 - n / 100} for n in range(NEXT_ITEMS)]
REASONS = [dict.fromkeys(("own", "alike", "trend", "text", "model"), 0.5)] * len(SCORED)
MERGED = {"ended_ds": DAY, "ended_how": "merged", "merged_into": "t0002", "items": 0}
BECAUSE = [{"item_id": "shop:1", "because_item_id": "shop:2", "effect": 0.7}]
DRIFTING = {
    "drift_from_topic": "t0001",
    "drift_to_topic": "t0002",
    "drift_since_ds": "2024-03-01",
    "drift_found_ds": "2024-03-04",
    "drift_stage": "shifting",
    "drift_p_value": 0.01,
}
SOUND: dict[str, dict[str, object]] = {
    "ad_policy": {
        "ds": DAY,
        "campaign": "spring",
        "user_id": USER,
        "policy": "ucb1",
        "variant": "champion",
        "arms": [{"arm": "red", "probability": 0.9}, {"arm": "blue", "probability": 0.1}],
        "position": "any",
        "show_probability": 1.0,
        "impressions_left": 3,
    },
    "policy_judgements": {
        "ds": DAY,
        "campaign": "spring",
        "policy": "ucb1",
        "decision": "replaced",
        "reason": "+",
        "gain": 0.02,
        "gain_low": 0.01,
        "gain_high": 0.03,
        "effective_impressions": 900.0,
        "impressions": 1000,
        "pending": 10,
        "refused": 0,
        "refused_events": [],
        "users": 5,
        "excluded_users": 1,
    },
    "interventions": {
        "ds": DAY,
        "user_id": USER,
        "kind": "return_risk",
        "item_id": "shop:1",
        "score": 0.4,
        "place": 1,
        "reason": "bought",
        "suggested_action": "offer help",
        "held_out": False,
        "expires_ds": "2024-03-08",
        "contacts_6d": 0,
        "p_return_28d": 0.4,
        "bought_ds": DAY,
    },
    "user_uplift": {
        "ds": DAY,
        "trial": "experiment:banner",
        "user_id": USER,
        "treatment": "new",
        "outcome": "buyers",
        "uplift": 0.03,
        "decile": 1,
        "decile_effect": 0.02,
        "decile_low": 0.01,
        "decile_high": 0.03,
        "learner": "dr_ridge",
    },
    "uplift_judgements": {
        "ds": DAY,
        "trial": "experiment:banner",
        "treatment": "new",
        "control": "old",
        "outcome": "buyers",
        "decision": "undecided",
        "reason": "?",
        "learner": "t_ridge",
        "users": 900,
        "treated_users": 450,
        "effect": 0.02,
        "effect_low": 0.01,
        "effect_high": 0.03,
        "adjusted_effect": 0.02,
        "adjusted_low": 0.01,
        "adjusted_high": 0.03,
        "qini": 0.0,
        "qini_low": -0.01,
        "qini_high": 0.01,
        "auuc": 0.01,
        "difference_p_value": 0.4,
        "scored_users": 0,
        "left_out_users": 0,
    },
    "raw_events": {**EVENT, "source_file": "shop/2024-03-05.csv"},
    "events": EVENT,
    "quarantine": {
        "ds": DAY,
        "platform": "shop",
        "reason": "bad_price",
        "source_file": "shop/2024-03-05.csv",
        "account_id": USER,
    },
    "accounting": {
        "ds": DAY,
        "platform": "shop",
        "rows_landed": 6,
        "events": 3,
        "duplicates": 1,
        "quarantined": 2,
        "quarantine_reasons": [{"reason": "bot", "rows": 2}],
    },
    "sessions": {
        "ds": DAY,
        "session_id": "5" * 32,
        "account_id": USER,
        "platform": "shop",
        "started_at": NOON,
        "ended_at": NOON.replace(minute=1),
        "duration_seconds": 60.0,
        "events": 2,
        "views": 1,
        "searches": 0,
        "carts": 0,
        "purchases": 1,
        "returns": 0,
        "items": 1,
        "value": 19.0,
        "item_ids": ["shop:1"],
        "is_late": False,
    },
    "items": {
        "ds": DAY,
        "item_id": "shop:1",
        "platform": "shop",
        "first_ds": "2024-03-01",
        "updated_ds": DAY,
    },
    "item_embeddings": {
        "ds": DAY,
        "item_id": "shop:1",
        "encoder": "tiny",
        "text_hash": "f" * 32,
        "embedding": [0.6, 0.8],
    },
    "user_history": {
        "ds": DAY,
        "user_id": USER,
        "platforms": ["shop"],
        "first_ds": DAY,
        "last_ds": DAY,
        "events": HISTORY,
        "daily": [{"arrival_ds": DAY, "platform": "shop", "event_type": "view", "events": 1}],
    },
    "training_examples": {
        "ds": "2024-03-05",
        "cutoff_ds": "2024-02-06",
        "fold": "test",
        "user_id": USER,
        "events": [{**HISTORY[0], "arrival_ds": "2024-02-06"}],
        "daily": [],
        "future": HISTORY,
        "click_7d": False,
        "click_28d": False,
        "cart_7d": False,
        "cart_28d": False,
        "purchase_7d": False,
        "purchase_28d": True,
        "return_7d": False,
        "return_28d": False,
        "churn_7d": True,
        "churn_28d": False,
    },
    "topics": {
        "ds": DAY,
        "topic_id": "t0001",
        "name": "candle · holder",
        "words": ["candle", "holder"],
        "categories": [],
        "platforms": ["shop"],
        "items": 1,
        "born_ds": DAY,
        "encoder": "tiny",
        "centroid": [0.6, 0.8],
    },
    "item_topics": {"ds": DAY, "item_id": "shop:1", "topic_id": "t0001", "similarity": 0.9},
    "user_interests": {
        "ds": DAY,
        "user_id": USER,
        "interests_long": [{"topic_id": "t0001", "share": 1.0}],
        "interests_short": [{"topic_id": "t0001", "share": 1.0}],
        "interest_events_long": 1.0,
        "interest_events_short": 1.0,
        "topic_entropy": 0.0,
        "drift_score": 0.0,
        "drift_p_value": 1.0,
        "drift_stage": "stable",
        "weekly_topics": ["t0001"],
        "weeks": ["2024-03-04"],
    },
    "migrations": {
        "ds": DAY,
        "week": "2024-03-04",
        "from_topic": "t0001",
        "to_topic": "t0001",
        "users": 1,
        "share": 1.0,
    },
    "migration_patterns": {
        "ds": DAY,
        "pattern": "settled",
        "meaning": "stay with one topic",
        "users": 1,
        "share": 1.0,
        "switches": 0.0,
        "topics": 1.0,
    },
    "review_sentiments": {
        "ds": DAY,
        "event_id": "e" * 32,
        "user_id": USER,
        "item_id": "shop:1",
        "sentiment": 0.5,
    },
    "user_signals": {
        "ds": DAY,
        "user_id": USER,
        "segment": "new",
        "is_regular": False,
        "fading": 0.0,
        "anomaly_score": 0.0,
        "return_rate": 0.1,
        "due_again": [],
        "search_intents": [],
        "reviews": 0,
    },
    "segments": {
        "ds": DAY,
        "segment": "fading_regulars",
        "meaning": "regulars who stay away",
        "is_exported": False,
    },
    "landed_files": {
        "ds": DAY,
        "platform": "shop",
        "path": "shop/2024-03-05.csv",
        "size": 120,
        "modified": NOON,
        "sha256": "0" * 64,
        "records": 2,
        "first_seen": NOON,
        "run": "r",
        "attempt": "a",
    },
    "identities": {"ds": DAY, "account_id": USER, "user_id": "f" * 32, "since_ds": DAY},
    "segment_members": {"ds": DAY, "segment": "fading_regulars", "user_id": USER},
    "user_features": {
        "ds": DAY,
        "user_id": USER,
        "model_version": "1",
        "model_ds": DAY,
        "platforms": ["shop"],
        "first_ds": DAY,
        "last_ds": DAY,
        "recency_days": 0,
        "active_days_28d": 1,
        "events_7d": 1,
        "events_28d": 1,
        "views_28d": 1,
        "carts_28d": 0,
        "purchases_28d": 0,
        "returns_28d": 0,
        "events_365d": 1,
        "purchases_365d": 0,
        "spend_28d": 0.0,
        "spend_365d": 0.0,
        "is_cold_start": True,
        "embedding": [0.5, 0.5],
        "next_items": SCORED,
        "next_new_items": SCORED,
        "next_items_reasons": REASONS,
        "next_new_items_reasons": REASONS,
        "p_click_7d": 0.4,
        "p_click_28d": 0.5,
        "p_cart_7d": 0.3,
        "p_cart_28d": 0.3,
        "p_purchase_7d": 0.1,
        "p_purchase_28d": 0.2,
        "p_return_7d": 0.0,
        "p_return_28d": 0.01,
        "p_churn_7d": 0.6,
        "p_churn_28d": 0.5,
        "embedding_drift": 0.1,
        "cold_start": "few_events",
        "next_items_because": BECAUSE,
        "next_items_cold": 2,
        "next_new_items_because": BECAUSE,
        "next_new_items_cold": 2,
        "propensity_reasons": [{"head": "purchase_28d", "kind": "feature", "name": "purchases_28d", "effect": 0.4}],
    },
}
SOUND["user_features"] |= SOUND["user_interests"] | SOUND["user_signals"]
HOUR = {"hour": f"{DAY}T13"}
SOUND["user_history_intraday"] = SOUND["user_history"] | HOUR
SOUND["user_features_intraday"] = SOUND["user_features"] | HOUR | {"base_ds": "2024-03-04"}
SOUND["intraday_refreshes"] = {
    "ds": DAY,
    **HOUR,
    "run": "r1",
    "base_ds": "2024-03-04",
    "base_published_at": NOON,
    "anew": True,
    "files": [{"name": "shop/a.csv", "bytes": 99, "landed_at": NOON}],
    "records": 6,
    "events": 3,
    "duplicates": 1,
    "quarantined": 2,
    "users": 2,
    "first_landed_at": NOON,
    "last_landed_at": NOON,
    "readable_at": NOON,
    "model_version": "1",
    "store_version": "v1",
    "seconds": [{"step": "refresh", "seconds": 31.5}],
}
SOUND["hourly_judgements"] = {
    "ds": DAY,
    **HOUR,
    "base_version": "1",
    "serving": "1",
    "candidate": "5",
    "serves": "5",
    "next_candidate": "6",
    "users": 90,
    "events": 200,
    "judged": [
        {
            "version": "1",
            "loss": 5.0,
            "loss_low": 4.9,
            "loss_high": 5.1,
            "recall": 0.2,
            "recall_low": 0.1,
            "recall_high": 0.3,
        }
    ],
    "candidate_gain": 0.02,
    "candidate_gain_low": -0.001,
    "candidate_gain_high": 0.03,
    "decision": "serve",
    "reason": "gain",
}


def arrow(table: str, rows: list[dict[str, object]]) -> pa.Table:
    """Rows as Arrow in the declared schema; what a row leaves out is null."""
    return pa.Table.from_pylist(rows, schema=table_named(table).schema)


def event(number: int, **changes: object) -> dict[str, object]:
    """A sound event of its own id."""
    return {**EVENT, "event_id": f"{number:032x}", **changes}


def write(path: Path, rows: pa.Table, row_group_size: int = 100_000) -> str:
    """A Parquet file as the jobs write it, with page checksums."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        rows, path, compression="zstd", store_schema=False, write_page_checksum=True, row_group_size=row_group_size
    )
    return str(path)


def stage(
    settings: Settings,
    table: str,
    days: dict[str, list[dict[str, object]]],
    run: str = "r1",
    part: str = "all",
    facts: dict[str, object] | None = None,
    files_per_day: int = 1,
    inputs: dict[str, int | str] | None = None,
) -> Manifest:
    """Stages rows per day; a day without rows has no file."""
    attempt = staging.begin(settings, table, run, part)
    files: dict[str, list[str]] = {}
    for ds, rows in days.items():
        cut = [rows[n::files_per_day] for n in range(files_per_day)]
        files[ds] = [write(attempt.day(ds) / f"{n}.parquet", arrow(table, some)) for n, some in enumerate(cut) if some]
    return staging.complete(attempt, list(days), files, inputs, facts)


def pass_audit(settings: Settings, manifest: Manifest, digest: str = "") -> None:
    """Writes the receipt of an audit that passed, without running one."""
    days: dict[str, dict[str, object]] = {
        ds: {"rows": sum(pq.read_metadata(path).num_rows for path in paths), "digest": digest or manifest.attempt}
        for ds, paths in manifest.days.items()
    }
    receipt = Receipt(manifest.table, manifest.run, {manifest.part: manifest.attempt}, days, 0.0)
    staging.write_receipt(settings, receipt)
