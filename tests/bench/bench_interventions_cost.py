"""CPU seconds and peak memory of a night of interventions, by number of users.

    python -m tests.bench interventions_cost [100000 300000 1000000]

All kinds are on, nine users of ten consented; ten events a user in 28 days, a tenth of them ads;
50,000 items with prices of 28 nights, one in a hundred a fifth cheaper tonight. Timed are the
programs as they are run, with start-up.
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.orchestration import step_commands
from pipeline.orchestration.steps import INTERVENE
from pipeline.runtime.settings import load_settings
from pipeline.tables.registry import EVENTS, ITEMS, USER_FEATURES
from tests.bench.plain_users import ids, users_of
from tests.bench.processes import again, measured
from tests.bench.publishing import publish_day, rows_of

ITEM_COUNT, DAYS, EVENTS_EACH = 50_000, 28, 10
LAST, RUN = "2024-03-28", "bench"
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
    publish_day(settings, USER_FEATURES, LAST, [_users(users, rng)])
    price = np.round(rng.lognormal(3, 0.5, ITEM_COUNT), 2)
    for back in range(DAYS):
        ds = f"2024-03-{DAYS - back:02d}"
        cheaper = np.where((np.arange(ITEM_COUNT) % 100 == 0) & (back == 0), 0.8, 1.0)
        publish_day(settings, ITEMS, ds, [_items(ds, price * cheaper)])
        publish_day(settings, EVENTS, ds, [_events(users, ds, price, rng)])
    folder = settings.home / "campaigns"
    folder.mkdir()
    names = ids(np.arange(users))
    (folder / "yes.csv").write_text("\n".join(names[: users * 9 // 10]))
    (folder / "no.csv").write_text("\n".join(names[::50]))
    (settings.home / "interventions.toml").write_text(TOML)


def _users(users: int, rng: np.random.Generator) -> pa.Table:
    made = users_of(users, LAST, rng)
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
        "platform": pa.repeat("shop", ITEM_COUNT),
        "item_id": pa.array([f"shop:{n}" for n in range(ITEM_COUNT)]),
        "price": pa.array(price),
        "first_ds": pa.repeat("2024-01-01", ITEM_COUNT),
        "updated_ds": pa.repeat(ds, ITEM_COUNT),
    }
    return rows_of(ITEMS, ds, known)


def _events(users: int, ds: str, price: np.ndarray, rng: np.random.Generator) -> pa.Table:
    rows = users * EVENTS_EACH // DAYS
    item, kind = rng.integers(0, ITEM_COUNT, rows), rng.integers(0, len(KINDS), rows)
    noon = np.datetime64(f"{ds}T12:00:00", "us")
    is_ad = kind == len(KINDS) - 1
    known = {
        "arrival_ds": pa.repeat(ds, rows),
        "platform": pa.repeat("shop", rows),
        "event_type": pa.array(KINDS).take(pa.array(kind)),
        "event_id": pa.array([f"{ds}-{n:021x}" for n in range(rows)]),
        "account_id": pa.array(ids(rng.integers(0, users, rows))),
        "item_id": pa.array([f"shop:{n}" for n in item.tolist()]),
        "event_time": pa.array(noon + np.arange(rows)).cast(pa.timestamp("us", tz="UTC")),
        "price": pa.array(price[item]),
        "campaign_id": pa.array(np.where(is_ad, "a", None)),
    }
    return rows_of(EVENTS, ds, known)


def night(users: int) -> None:
    """Prepared in a process of its own: a child's peak would begin with what its parent holds."""
    settings = load_settings()
    subprocess.run(again("interventions_cost", "--prepare", users), check=True)
    print(f"{users:,} users", flush=True)
    for name, command in (
        ("job", step_commands.job(INTERVENE, settings, LAST, LAST, RUN)),
        ("release", step_commands.release(INTERVENE, RUN)),
    ):
        print(f"  {name:<8} {measured(command)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("users", type=int, nargs="*", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--prepare", type=int, metavar="USERS", help="fill the home, and do nothing else")
    given = parser.parse_args()
    if given.prepare:
        prepare(given.prepare)
        return
    for users in given.users:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["TIDEMARK_HOME"] = str(Path(folder) / "home")
            night(users)


if __name__ == "__main__":
    main()
