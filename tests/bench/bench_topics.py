"""Time and memory of the topics of a first night, by the number of items.

    python tests/bench/bench_topics.py [--items 100000 1000000] [--users-per-item 1]

Generates items of planted topics (text vectors of 384, three words a title) and users with ten
events each in a fresh home, runs `training.build_topics` as its own process, and prints seconds,
CPU seconds and peak memory with the exponent of growth. Leaves nothing behind.
"""

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa

from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import DayFile
from pipeline.tables.registry import ITEM_EMBEDDINGS, ITEMS, USER_HISTORY
from pipeline.tables.schema import Table
from tests.unit.training.factory import DS, vouch

WIDTH, TOPICS, EVENTS, CHUNK = 384, 200, 10, 20_000
NOON = 1_717_243_200_000_000  # microseconds, on DS


def rows_of(table: Table, size: int, **columns: pa.Array) -> pa.Table:
    """`size` rows of DS with these columns, nulls elsewhere."""
    filled = {"ds": pa.array([DS] * size), **columns}
    arrays = [filled.get(c.name, pa.nulls(size, c.type)) for c in table.columns]
    return pa.table(arrays, names=table.schema.names).cast(table.schema)


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
        ITEMS: rows_of(ITEMS, size, title=pa.array(titles), **same, **days),
        ITEM_EMBEDDINGS: rows_of(ITEM_EMBEDDINGS, size, item_id=ids, embedding=vectors, **hashes),
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
    return rows_of(USER_HISTORY, size, user_id=ids, **columns, **days)


def generate(settings: Settings, total: int, people: int) -> None:
    """Publishes what the job reads, written chunk by chunk."""
    generator, files, attempts = np.random.default_rng(3), {}, {}
    for table in (ITEMS, ITEM_EMBEDDINGS, USER_HISTORY):
        attempts[table] = staging.begin(settings, table.name, "bench")
        files[table] = DayFile(attempts[table].day(DS), file_schema(settings, table))
    for start in range(0, total, CHUNK):
        for table, rows in items(start, min(CHUNK, total - start), generator).items():
            files[table].write(rows)
    for start in range(0, people, CHUNK):
        files[USER_HISTORY].write(users(start, min(CHUNK, people - start), total, generator))
    for table, file in files.items():
        file.close()
        staging.complete(attempts[table], [DS], {DS: [file.path]})
        vouch(settings, table.name, "bench")


def measured(total: int, people: int) -> tuple[float, float, float]:
    """Seconds, CPU seconds and GiB of the job."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TIDEMARK_HOME"] = folder
        generate(load_settings(), total, people)
        job = [sys.executable, "-m", "training.build_topics", "--ds", DS, "--run", "bench"]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run(job, check=True)
        seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, after.ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", nargs="+", type=int, default=[100_000, 1_000_000])
    parser.add_argument("--users-per-item", type=float, default=1.0)
    given = parser.parse_args()
    last: tuple[int, float] | None = None
    for total in sorted(given.items):  # the peak is that of the largest so far
        seconds, cpu, peak = measured(total, int(total * given.users_per_item))
        grown = math.log(cpu / last[1]) / math.log(total / last[0]) if last else math.nan
        print(f"{total} items: {seconds:.1f} s, {cpu:.1f} CPU s, peak {peak:.2f} GiB, exponent {grown:.2f}", flush=True)
        last = total, cpu


if __name__ == "__main__":
    main()
