"""A small shop whose users keep to one topic, published as the jobs before training would.

Items of a topic have close text vectors; each user buys again and again from one topic, so a model
that learns anything ranks that topic first.
"""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import write_day
from pipeline.storage.publish import publish
from pipeline.storage.staging import Receipt
from pipeline.tables.registry import (
    ITEM_EMBEDDINGS,
    ITEMS,
    TABLES,
    TRAINING_EXAMPLES,
    USER_HISTORY,
    table_named,
)
from tests.unit.training.known_users import interests, signals

DS = "2024-06-01"
TOPICS, TEXT_WIDTH = 4, 8
ACTS = {"click": "view", "cart": "cart", "purchase": "purchase", "return": "return"}
FOLDS = {"test": -28, "valid": -56, "train": -84}


def user_id(number: int) -> str:
    return f"{number * 2654435761 % 2**32:08x}" + f"{number:024x}"


def event(item: str | None, kind: str, ds: str, hour: int = 12, price: float = 5.0) -> dict:
    moment = datetime.fromisoformat(ds).replace(hour=hour, tzinfo=UTC)
    return {
        "item_id": item,
        "event_type": kind,
        "event_time": moment,
        "arrival_ds": ds,
        "quantity": 1.0,
        "price": price,
        "text": None,
    }


def daily(events: list[dict], platform: str = "shop") -> list[dict]:
    """Counts per arrival day and type, as the history job makes them."""
    found: dict[tuple[str, str], dict] = {}
    for entry in events:
        key = (entry["arrival_ds"], entry["event_type"])
        day = found.setdefault(key, {"events": 0, "quantity": 0.0, "value": 0.0})
        day["events"] += 1
        day["quantity"] += entry["quantity"]
        day["value"] += entry["quantity"] * entry["price"]
    return [
        {"arrival_ds": ds, "platform": platform, "event_type": kind, **day} for (ds, kind), day in sorted(found.items())
    ]


def life(number: int, items: int, generator: np.random.Generator) -> list[dict]:
    """A user's events over 120 days: visits to one topic, some of them purchases."""
    topic, events = number % TOPICS, []
    visits = generator.integers(4, 14)
    for ago in sorted(generator.integers(0, 120, visits), reverse=True):
        ds = shift(DS, -int(ago))
        item = int(generator.integers(0, items // TOPICS)) * TOPICS + topic
        events.append(event(f"shop:{item:03d}", "view", ds, 10))
        if generator.random() < 0.5:
            events.append(event(f"shop:{item:03d}", "purchase", ds, 11))
    return events


def examples(users: int, items: int, folds: dict[str, int] | None = None) -> pa.Table:
    """Rows of `training_examples`."""
    generator, rows = np.random.default_rng(3), []
    for number in range(users):
        events = life(number, items, generator)
        for fold, age in (folds or FOLDS).items():
            row = example(user_id(number), events, shift(DS, age), fold)
            rows += [row] if row["events"] else []
    return pa.Table.from_pylist(rows, schema=TRAINING_EXAMPLES.schema)


def example(user: str, events: list[dict], cutoff: str, fold: str) -> dict:
    past = [entry for entry in events if entry["arrival_ds"] <= cutoff]
    after = [e for e in events if cutoff < e["arrival_ds"] <= shift(cutoff, 28)]

    def happened(kind: str, days: int) -> bool:
        last = shift(cutoff, days)
        return any(e["event_type"] == kind and e["arrival_ds"] <= last for e in after)

    return {
        "ds": DS,
        "cutoff_ds": cutoff,
        "fold": fold,
        "user_id": user,
        "events": past,
        "daily": daily(past),
        "future": after,
        "churn_28d": not after,
        "churn_7d": not any(e["arrival_ds"] <= shift(cutoff, 7) for e in after),
    } | {f"{name}_{days}d": happened(kind, days) for name, kind in ACTS.items() for days in (7, 28)}


def history(users: int, items: int) -> pa.Table:
    """Rows of `user_history` of the same users at DS."""
    generator, rows = np.random.default_rng(3), []
    for number in range(users):
        events = life(number, items, generator)
        days = [entry["arrival_ds"] for entry in events]
        rows.append(
            {
                "ds": DS,
                "user_id": user_id(number),
                "platforms": ["shop"],
                "first_ds": min(days),
                "last_ds": max(days),
                "events": events,
                "daily": daily(events),
            }
        )
    return pa.Table.from_pylist(rows, schema=USER_HISTORY.schema)


def embeddings(items: int, platform: str = "shop", encoder: str = "made up") -> pa.Table:
    """Rows of `item_embeddings`: item n belongs to topic n % TOPICS."""
    generator = np.random.default_rng(5)
    vectors = np.eye(TOPICS, TEXT_WIDTH)[np.arange(items) % TOPICS]
    vectors = vectors + 0.1 * generator.normal(size=(items, TEXT_WIDTH))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [
        {
            "ds": DS,
            "item_id": f"{platform}:{n:03d}",
            "encoder": encoder,
            "text_hash": f"{n:032x}",
            "embedding": vectors[n].astype(np.float32).tolist(),
        }
        for n in range(items)
    ]
    return pa.Table.from_pylist(rows, schema=ITEM_EMBEDDINGS.schema)


def item_rows(items: int, ds: str = DS) -> pa.Table:
    """Rows of `items`, all known from the first day on."""
    rows = [
        {
            "ds": ds,
            "item_id": f"shop:{n:03d}",
            "platform": "shop",
            "title": f"thing {n}",
            "first_ds": shift(DS, -120),
            "updated_ds": shift(DS, -120),
        }
        for n in range(items)
    ]
    return pa.Table.from_pylist(rows, schema=ITEMS.schema)


def publish_day(settings: Settings, name: str, rows: pa.Table, ds: str = DS, run: str = "r") -> None:
    """Stages, vouches for and publishes one day."""
    attempt = staging.begin(settings, name, run)
    path = write_day(attempt.day(ds), rows, file_schema(settings, table_named(name)))
    staging.complete(attempt, [ds], {ds: [path]})
    vouch(settings, name, run)


def vouch(settings: Settings, name: str, run: str) -> None:
    """Publishes what is staged, with a receipt as a passed audit writes it."""
    manifests = staging.current(settings, name, run)
    rows: dict[str, int] = {}
    for manifest in manifests:
        for ds, paths in manifest.days.items():
            rows[ds] = rows.get(ds, 0) + sum(pq.read_metadata(p).num_rows for p in paths)
    receipt = Receipt(
        name,
        run,
        {m.part: m.attempt for m in manifests},
        {ds: {"rows": n, "digest": f"{run}-{ds}-{n}"} for ds, n in rows.items()},
        0.0,
    )
    staging.write_receipt(settings, receipt)
    publish(settings, TABLES[name], run)


def publish_shop(settings: Settings, users: int = 120, items: int = 80) -> None:
    """All that training and scoring of DS read."""
    publish_day(settings, "item_embeddings", embeddings(items))
    publish_day(settings, "items", item_rows(items))
    publish_day(settings, "training_examples", examples(users, items))
    publish_users(settings, history(users, items))


def publish_users(settings: Settings, rows: pa.Table, run: str = "r") -> None:
    """Histories, and what the steps between them and scoring say of the same users."""
    users = rows["user_id"].to_pylist()
    publish_day(settings, "user_history", rows, run=run)
    publish_day(settings, "user_interests", interests(users, DS), run=run)
    publish_day(settings, "user_signals", signals(users, DS), run=run)
