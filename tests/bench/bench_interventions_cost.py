"""CPU seconds and peak memory of a night of interventions, by number of users.

    python tests/bench/bench_interventions_cost.py [100000 300000 1000000]

All kinds are on, nine users of ten consented; ten events a user in 28 days, a tenth of them ads;
50,000 items with prices of 28 nights, one in a hundred a fifth cheaper tonight. Timed are the
programs as they are run, with start-up.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.runtime.settings import load_settings
from pipeline.tables.registry import EVENTS, ITEMS, USER_FEATURES
from tests.bench.bench_policy import _features, _ids, _publish, _timed

ITEM_COUNT, DAYS, EVENTS_EACH, LAST = 50_000, 28, 10, "2024-03-28"
KINDS = ("view", "view", "view", "view", "cart", "favorite", "purchase", "return", "search", "impression")
TOML = """
holdout = 0.1
[people]
consent = "yes.csv"
exclude = ["no.csv"]
[caps]
per_day = 5
per_week = 20
[price_drop]
action = "tell"
daily_budget = 20000
[return_risk]
action = "help"
daily_budget = 20000
[fading_regular]
action = "write"
daily_budget = 20000
[due_again]
action = "remind"
daily_budget = 20000
"""


def prepare(users: int) -> None:
    """Publishes a made-up night, without an audit, into the home of the environment."""
    settings, rng = load_settings(), np.random.default_rng(0)
    _publish(settings, "user_features", LAST, _users(users, rng))
    price = np.round(rng.lognormal(3, 0.5, ITEM_COUNT), 2)
    for back in range(DAYS):
        ds = f"2024-03-{DAYS - back:02d}"
        cheaper = np.where((np.arange(ITEM_COUNT) % 100 == 0) & (back == 0), 0.8, 1.0)
        _publish(settings, "items", ds, _items(ds, price * cheaper))
        _publish(settings, "events", ds, _events(users, ds, price, rng))
    folder = settings.home / "campaigns"
    folder.mkdir()
    ids = _ids(np.arange(users))
    (folder / "yes.csv").write_text("\n".join(ids[: users * 9 // 10]))
    (folder / "no.csv").write_text("\n".join(ids[::50]))
    (settings.home / "interventions.toml").write_text(TOML)


def _users(users: int, rng: np.random.Generator) -> pa.Table:
    made = _features(users, LAST, rng)
    due = pa.array([{"topic_id": "t0001", "item_id": "shop:7", "due_ds": "2024-03-30", "cycle_days": 30.0}])
    offsets = pa.array(np.minimum(np.arange(users + 1) // 10, users // 10).astype(np.int32))
    kind = USER_FEATURES.schema.field("due_again").type
    entries = due.cast(kind.value_type).take(pa.array(np.zeros(users // 10, np.int64)))
    columns = {
        "anomaly_reason": pa.nulls(users, pa.string()),
        "is_regular": pa.array(rng.random(users) < 0.3),
        "fading": pa.array(rng.random(users).astype(np.float32)),
        "recency_days": pa.array(rng.integers(0, 100, users).astype(np.int32)),
        "p_return_28d": pa.array(rng.random(users).astype(np.float32) / 3),
        "p_purchase_7d": pa.array(rng.random(users).astype(np.float32)),
        "due_again": pa.ListArray.from_arrays(offsets, entries, type=kind),
    }
    for name, column in columns.items():
        made = made.set_column(made.schema.get_field_index(name), made.schema.field(name), column)
    return made


def _items(ds: str, price: np.ndarray) -> pa.Table:
    known = {
        "ds": pa.repeat(ds, ITEM_COUNT),
        "platform": pa.repeat("shop", ITEM_COUNT),
        "item_id": pa.array([f"shop:{n}" for n in range(ITEM_COUNT)]),
        "price": pa.array(price),
        "first_ds": pa.repeat("2024-01-01", ITEM_COUNT),
        "updated_ds": pa.repeat(ds, ITEM_COUNT),
    }
    return _table(known, ITEMS.schema, ITEM_COUNT)


def _events(users: int, ds: str, price: np.ndarray, rng: np.random.Generator) -> pa.Table:
    rows = users * EVENTS_EACH // DAYS
    item, kind = rng.integers(0, ITEM_COUNT, rows), rng.integers(0, len(KINDS), rows)
    noon = np.datetime64(f"{ds}T12:00:00", "us")
    is_ad = kind == len(KINDS) - 1
    known = {
        "ds": pa.repeat(ds, rows),
        "arrival_ds": pa.repeat(ds, rows),
        "platform": pa.repeat("shop", rows),
        "event_type": pa.array(KINDS).take(pa.array(kind)),
        "event_id": pa.array([f"{ds}-{n:021x}" for n in range(rows)]),
        "user_id": pa.array(_ids(rng.integers(0, users, rows))),
        "item_id": pa.array([f"shop:{n}" for n in item.tolist()]),
        "event_time": pa.array(noon + np.arange(rows)).cast(pa.timestamp("us", tz="UTC")),
        "price": pa.array(price[item]),
        "campaign_id": pa.array(np.where(is_ad, "a", None)),
    }
    return _table(known, EVENTS.schema, rows)


def _table(known: dict[str, pa.Array], schema: pa.Schema, rows: int) -> pa.Table:
    columns = [known.get(it.name, pa.nulls(rows, it.type)) for it in schema]
    return pa.table(columns, schema=schema)


def night(users: str) -> None:
    """Prepared in a process of its own: a child's peak would begin with what its parent holds."""
    subprocess.run([sys.executable, __file__, "--prepare", users], check=True)
    print(f"{int(users):,} users", flush=True)
    _timed("job", "pipeline.decisions.interventions.build", "--ds", LAST, "--run", "bench")
    for name in ("audit", "publish"):
        _timed(name, f"pipeline.{name}", "--table", "interventions", "--run", "bench")


def main() -> None:
    if sys.argv[1:2] == ["--prepare"]:
        prepare(int(sys.argv[2]))
        return
    for users in sys.argv[1:] or ["100000", "300000", "1000000"]:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["TIDEMARK_HOME"] = str(Path(folder) / "home")
            night(users)


if __name__ == "__main__":
    main()
