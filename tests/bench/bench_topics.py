"""Time and memory of the topics of a first night, by the number of items.

    python -m tests.bench topics [--items 100000 1000000] [--users-per-item 1]

Generates items of planted topics (text vectors of 384, three words a title) and users with ten
events each in a fresh home, runs `training.build_topics` as its own process, and prints seconds,
CPU seconds and peak memory with the exponent of growth. Leaves nothing behind.
"""

import argparse
import math
import os
import tempfile

import numpy as np
import pyarrow as pa

from pipeline.orchestration import step_commands
from pipeline.orchestration.graph import Step
from pipeline.orchestration.steps import TOPICS as PART
from pipeline.runtime.settings import Settings, load_settings
from pipeline.tables.registry import ITEM_EMBEDDINGS, ITEMS, USER_HISTORY
from pipeline.tables.schema import Table
from tests.bench.processes import Usage, measured
from tests.bench.publishing import publish_day, rows_of

DS = "2024-06-01"
TOPICS_ALONE = Step(PART.name, PART.program, "the part of `describe`, by itself")
WIDTH, TOPICS, EVENTS, CHUNK = 384, 200, 10, 20_000
NOON = 1_717_243_200_000_000  # microseconds, on DS


def items(start: int, size: int, generator: np.random.Generator) -> dict[Table, pa.Table]:
    number = np.arange(start, start + size)
    ids = pa.array([f"shop:{n:07d}" for n in number])
    axes = np.random.default_rng(1).normal(size=(TOPICS, WIDTH))
    found = axes[number % TOPICS] + 0.7 * generator.normal(size=(size, WIDTH))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    offsets = np.arange(0, (size + 1) * WIDTH, WIDTH)
    vectors = pa.ListArray.from_arrays(offsets.astype(np.int32), found.astype(np.float32).ravel())
    titles = [f"{word(n % TOPICS)} {word(n % 997)} {word(n % 4999)}" for n in number.tolist()]
    same = {"item_id": ids, "platform": pa.array(["shop"] * size)}
    days = {"first_ds": pa.array([DS] * size), "updated_ds": pa.array([DS] * size)}
    hashes = {"encoder": pa.array(["made up"] * size), "text_hash": ids}
    return {
        ITEMS: rows_of(ITEMS, DS, {"title": pa.array(titles), **same, **days}),
        ITEM_EMBEDDINGS: rows_of(ITEM_EMBEDDINGS, DS, {"item_id": ids, "embedding": vectors, **hashes}),
    }


def word(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:04d}")


def users(start: int, size: int, total: int, generator: np.random.Generator) -> pa.Table:
    """Each turns to items of two topics; events lie five minutes apart."""
    topic = generator.integers(TOPICS, size=(size, 2))[:, np.arange(EVENTS) % 2]
    item = generator.integers(total // TOPICS, size=(size, EVENTS)) * TOPICS + topic
    times = np.tile(NOON + np.arange(EVENTS) * 300_000_000, size)
    columns = {
        "item_id": pa.array([f"shop:{n:07d}" for n in item.ravel().tolist()]),
        "event_type": pa.array(["view"] * item.size),
        "event_time": pa.array(times).cast(pa.timestamp("us", tz="UTC")),
        "arrival_ds": pa.array([DS] * item.size),
    }
    kind = USER_HISTORY.column("events").type.value_type
    fields = [columns.get(f.name, pa.nulls(item.size, f.type)) for f in kind]
    events = pa.StructArray.from_arrays(fields, fields=list(kind))
    offsets = np.arange(0, item.size + 1, EVENTS).astype(np.int32)
    spread = (np.arange(start, start + size) * 2_654_435_761) % 2**32
    ids = pa.array([f"{n:08x}{n:024x}" for n in spread.tolist()])
    days = {"first_ds": pa.array([DS] * size), "last_ds": pa.array([DS] * size)}
    lists = pa.ListArray.from_arrays(offsets, events)
    columns = {"platforms": pa.array([["shop"]] * size), "events": lists}
    columns["daily"] = pa.array([[]] * size, USER_HISTORY.column("daily").type)
    return rows_of(USER_HISTORY, DS, {"user_id": ids, **columns, **days})


def generate(settings: Settings, total: int, people: int) -> None:
    """Publishes what the job reads, written chunk by chunk."""
    for table in (ITEMS, ITEM_EMBEDDINGS):
        generator = np.random.default_rng(3)
        sizes = ((start, min(CHUNK, total - start)) for start in range(0, total, CHUNK))
        publish_day(settings, table, DS, (items(start, size, generator)[table] for start, size in sizes))
    generator = np.random.default_rng(4)
    sizes = ((start, min(CHUNK, people - start)) for start in range(0, people, CHUNK))
    publish_day(settings, USER_HISTORY, DS, (users(start, size, total, generator) for start, size in sizes))


def measure(total: int, people: int) -> Usage:
    """Seconds, CPU seconds and GiB of the job."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TIDEMARK_HOME"] = folder
        settings = load_settings()
        generate(settings, total, people)
        return measured(step_commands.job(TOPICS_ALONE, settings, DS, DS, "bench"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", nargs="+", type=int, default=[100_000, 1_000_000])
    parser.add_argument("--users-per-item", type=float, default=1.0)
    given = parser.parse_args()
    last: tuple[int, float] | None = None
    for total in sorted(given.items):
        used = measure(total, int(total * given.users_per_item))
        grown = math.log(used.cpu_seconds / last[1]) / math.log(total / last[0]) if last else math.nan
        print(f"{total} items: {used}, exponent {grown:.2f}", flush=True)
        last = total, used.cpu_seconds


if __name__ == "__main__":
    main()
