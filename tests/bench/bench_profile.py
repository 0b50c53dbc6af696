"""How long `profile_users` takes, and how that grows with the number of users.

    python -m tests.bench profile --users 100000 1000000 --events 100 --items 1000000

Writes `user_history` (made-up users who come in visits, their interests drawn from 100 topics),
`items` and `item_topics` into a temporary home, runs the job as the night does, and prints its wall
and CPU seconds and the largest resident memory of its processes, with the growth exponent between
sizes.
"""

import argparse
import math
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.orchestration import step_commands
from pipeline.orchestration.steps import PROFILE
from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings
from pipeline.tables.interests import ITEM_TOPICS, REVIEW_SENTIMENTS
from pipeline.tables.registry import ITEMS, USER_HISTORY
from tests.bench.processes import measured_family
from tests.bench.publishing import publish_day

DS, TOPICS, CHUNK, VISIT = "2026-03-31", 100, 10_000, 4
DAYS = [shift(DS, -age) for age in range(365)]
SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC835  # ids are hashes: a share of them is one of users
KINDS = np.array(["view", "view", "view", "cart", "purchase"])


def histories(first: int, users: int, events: int, items: int) -> pa.Table:
    """Users with three topics each, `events` events in visits of VISIT, over a year."""
    random = np.random.default_rng([first, users])
    visits = events // VISIT
    age = -np.sort(-random.integers(0, 365, (users, visits)), axis=1).repeat(VISIT, axis=1)
    likes = random.integers(0, TOPICS, (users, 3))
    topic = np.take_along_axis(likes, random.integers(0, 3, (users, visits)), axis=1)
    item = topic.repeat(VISIT, axis=1) + TOPICS * random.integers(0, items // TOPICS, age.shape)
    day = pa.array(DAYS).take(pa.array(age.ravel()))
    time_ = (20_543 - age.ravel()) * 86_400_000_000 + np.tile(np.arange(age.shape[1]), users)
    total = age.size
    fields = {
        "item_id": pa.array([f"shop:{n}" for n in item.ravel().tolist()]),
        "event_type": pa.array(KINDS[random.integers(0, len(KINDS), total)]),
        "event_time": pa.array(time_, pa.timestamp("us", tz="UTC")),
        "arrival_ds": day,
        "quantity": pa.nulls(total, pa.float64()),
        "price": pa.array(random.integers(1, 100, total) / 4),
        "text": pa.nulls(total, pa.string()),
    }
    offsets = pa.array(np.arange(0, total + 1, age.shape[1], dtype=np.int32))
    daily = {
        "arrival_ds": day,
        "platform": pa.array(["shop"]).take(pa.array(np.zeros(total, dtype=int))),
        "event_type": fields["event_type"],
        "events": pa.array(np.ones(total, dtype=np.int32)),
        "quantity": pa.array(np.ones(total)),
        "value": fields["price"],
    }
    names = np.sort(random.integers(0, 2**62, users))
    return pa.table(
        {
            "ds": [DS] * users,
            "user_id": [f"{(first + name + 1) * SPREAD % 2**128:032x}" for name in names.tolist()],
            "platforms": [["shop"]] * users,
            "first_ds": day.take(pa.array(offsets.to_numpy()[:-1])),
            "last_ds": day.take(pa.array(offsets.to_numpy()[1:] - 1)),
            "events": _lists(offsets, fields),
            "daily": _lists(offsets, daily),
        },
    )


def _lists(offsets: pa.Array, fields: dict[str, pa.Array]) -> pa.ListArray:
    rows = pa.StructArray.from_arrays(list(fields.values()), list(fields))
    return pa.ListArray.from_arrays(offsets, rows)


def fill(settings: Settings, users: int, events: int, items: int) -> None:
    """Publishes the tables of DS that the job reads; nobody has written a review."""
    chunks = (histories(n, min(CHUNK, users - n), events, items) for n in range(0, users, CHUNK))
    publish_day(settings, USER_HISTORY, DS, chunks)
    ids = np.arange(items)
    topics = pa.array([f"t{n + 1:04d}" for n in range(TOPICS)]).take(pa.array(ids % TOPICS))
    rows = {
        "ds": pa.array([DS]).take(pa.array(np.zeros(items, dtype=int))),
        "item_id": pa.array([f"shop:{n}" for n in ids.tolist()]),
        "topic_id": topics,
        "similarity": pa.array(np.ones(items, dtype=np.float32)),
    }
    publish_day(settings, ITEM_TOPICS, DS, [pa.table(rows)])
    publish_day(settings, REVIEW_SENTIMENTS, DS, [REVIEW_SENTIMENTS.schema.empty_table()])
    same = pa.array(np.zeros(items, dtype=int))
    catalogue = {
        "ds": rows["ds"],
        "item_id": rows["item_id"],
        "platform": pa.array(["shop"]).take(same),
        "title": pa.array([f"thing {n % TOPICS} number {n}" for n in ids.tolist()]),
        "price": pa.array(ids % 97 / 4 + 1),
        "first_ds": rows["ds"],
        "updated_ds": rows["ds"],
    }
    missing = {n: pa.nulls(items, pa.string()) for n in ("category", "brand", "image_path")}
    publish_day(settings, ITEMS, DS, [pa.table(catalogue | missing)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, nargs="+", default=[100_000])
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--items", type=int, default=1_000_000)
    given = parser.parse_args()
    before: tuple[int, float] | None = None
    for users in given.users:
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(home=Path(folder))
            fill(settings, users, given.events, given.items)
            job = step_commands.job(PROFILE, settings, DS, DS, "bench")
            used = measured_family(job, step_commands.environment(settings))
        grows = f", grows as users^{math.log(used.seconds / before[1], users / before[0]):.2f}" if before else ""
        print(
            f"{users} users: {used.seconds:.0f} s wall, {used.cpu_seconds:.0f} s CPU, "
            f"{used.together_gib:.1f} GiB at most{grows}"
        )
        before = users, used.seconds


if __name__ == "__main__":
    main()
