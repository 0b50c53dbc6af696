"""Load made-up users into online stores of each kind and time reads of 1 and of 100.

    python -m tests.bench online [--rows 100000] [--reads 2000] [--kinds redis sqlite …]

Starts Redis and Postgres of its own on loopback. Values are as incompressible as real ones: random
vectors and scores, items of a catalogue of 20,000.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import psycopg
import redis

from pipeline.features.online import Night, Nights, open_backend, open_store
from pipeline.features.online.row_codec import encode, to_text, value_schema
from pipeline.runtime.settings import Settings
from tests.bench.online_rows import CHUNK, FEATURES, chunk, user
from tests.postgres import postgres_server
from tests.redis_server import redis_server

VERSION = "20240305_1"


def rows(count: int, spent: list[float]) -> Iterator[tuple[str, bytes]]:
    """Encoded rows; `spent` gets the CPU seconds of making them up and of encoding them."""
    random, schema = np.random.default_rng(1), value_schema(FEATURES)
    for first in range(0, count, CHUNK):
        began = time.process_time()
        batch = chunk(first, min(CHUNK, count - first), random)
        spent[0] += time.process_time() - began
        began = time.process_time()
        encoded = list(encode(batch, schema))
        spent[1] += time.process_time() - began
        yield from encoded


def bench(kind: str, settings: Settings, count: int, reads: int) -> None:
    backend, spent = open_backend(settings), [0.0, 0.0]
    before = size(kind, settings)
    began, worked = time.monotonic(), time.process_time()
    with backend.writing():
        backend.write(VERSION, rows(count, spent))
        assert backend.count(VERSION) == count
        schema = to_text(value_schema(FEATURES))
        backend.point(Nights(Night(VERSION, "2024-03-05", "bench", count, schema)))
    seconds = time.monotonic() - began - spent[0]
    worked = time.process_time() - worked - spent[0]
    stored = (size(kind, settings) - before) / count
    print(
        f"{kind}: {count:,} users loaded in {seconds:.1f} s ({count / seconds:,.0f}/s; "
        f"{worked:.1f} s of CPU here, {spent[1]:.1f} to encode), {stored:,.0f} bytes per user"
    )
    for width in (1, 100):
        print(f"{kind}: reads of {width}: {timed(settings, count, reads // width + 100, width)}")


def timed(settings: Settings, count: int, reads: int, width: int) -> str:
    random, store, seconds = np.random.default_rng(2), open_store(settings), []
    store.get([user(0)])
    for _ in range(reads):
        asked = [user(int(number)) for number in random.integers(0, count, width)]
        began = time.perf_counter()
        found = store.get(asked)
        seconds.append(time.perf_counter() - began)
        assert None not in found
    p50, p99 = np.percentile(seconds, [50, 99]) * 1000
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms ({reads} reads)"


def size(kind: str, settings: Settings) -> int:
    """Memory of Redis, disk of the others."""
    if kind == "redis":
        with redis.Redis.from_url(settings.online_uri) as client:
            return int(client.info("memory")["used_memory"])
    if kind == "postgres":
        with psycopg.connect(settings.online_uri) as connection:
            (found,) = connection.execute("SELECT pg_database_size(current_database())").fetchone()
            return int(found)
    return sum(path.stat().st_size for path in (settings.home / "online").glob("*"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--reads", type=int, default=2000)
    parser.add_argument("--kinds", nargs="+", default=["redis", "sqlite", "postgres"])
    given = parser.parse_args()
    for kind in given.kinds:
        with tempfile.TemporaryDirectory(prefix=kind) as folder, ExitStack() as servers:
            uri = ""
            if kind == "redis":
                uri = servers.enter_context(redis_server(Path(folder)))
            elif kind == "postgres":
                uri = servers.enter_context(postgres_server(Path(folder))).replace("+psycopg2", "")
            settings = Settings(home=Path(folder), online_uri=uri)
            bench(kind, settings, given.rows, given.reads)


if __name__ == "__main__":
    main()
