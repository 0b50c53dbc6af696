"""Load made-up users into online stores of each kind and time reads of 1 and of 100.

    python tests/bench/bench_online.py [--rows 100000] [--reads 2000] [--kinds redis sqlite …]

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
import pyarrow as pa

from pipeline.features.online import Night, Nights, open_backend, open_store
from pipeline.features.online.backend import Backend
from pipeline.features.online.row_codec import encode, to_text, value_schema
from pipeline.runtime.settings import Settings
from pipeline.tables.columns import NEXT_ITEMS
from pipeline.tables.registry import table_named
from tests.postgres import postgres_server
from tests.redis_server import redis_server

FEATURES = table_named("user_features").schema
CHUNK = 5_000
ITEMS, WIDTH, VERSION = 20_000, 64, "20240305_1"


def user(number: int) -> str:
    """Spread like a hash."""
    return f"{(number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"


def chunk(first: int, rows: int, random: np.random.Generator) -> pa.RecordBatch:
    """Users `first`, `first` + 1, … in the declared columns."""
    columns = [made(field, rows, random) for field in FEATURES]
    columns[FEATURES.names.index("user_id")] = pa.array(user(first + n) for n in range(rows))
    return pa.record_batch(columns, names=FEATURES.names)


def made(field: pa.Field, rows: int, random: np.random.Generator) -> pa.Array:
    kind = field.type
    if pa.types.is_list(kind):
        struct = pa.types.is_struct(kind.value_type)
        length = NEXT_ITEMS if field.name.startswith("next_") else 8 if struct else 2
        length = WIDTH if field.name == "embedding" else length
        flat = made(pa.field(field.name, kind.value_type), rows * length, random)
        return pa.ListArray.from_arrays(np.arange(0, rows * length + 1, length, "int32"), flat)
    if pa.types.is_struct(kind):
        parts = [made(part, rows, random) for part in kind]
        return pa.StructArray.from_arrays(parts, names=[part.name for part in kind])
    if pa.types.is_boolean(kind):
        return pa.array(random.random(rows) < 0.5)
    if pa.types.is_string(kind):
        number = random.integers(0, ITEMS if field.name == "item_id" else 50, rows)
        return pa.array([f"webshop:{it:08}" for it in number])
    if pa.types.is_integer(kind):
        return pa.array(random.integers(0, 100, rows)).cast(kind)
    return pa.array(random.normal(size=rows)).cast(kind)


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
    before = size(kind, backend, settings)
    began, worked = time.monotonic(), time.process_time()
    with backend.writing():
        backend.write(VERSION, rows(count, spent))
        assert backend.count(VERSION) == count
        schema = to_text(value_schema(FEATURES))
        backend.point(Nights(Night(VERSION, "2024-03-05", "bench", count, schema)))
    seconds = time.monotonic() - began - spent[0]
    worked = time.process_time() - worked - spent[0]
    stored = (size(kind, backend, settings) - before) / count
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


def size(kind: str, backend: Backend, settings: Settings) -> int:
    """Memory of Redis, disk of the others."""
    if kind == "redis":
        return int(backend._client.info("memory")["used_memory"])  # type: ignore[attr-defined]
    if kind == "postgres":
        query = "SELECT pg_database_size(current_database())"
        return int(backend._run(query)[0][0])  # type: ignore[attr-defined]
    return sum(path.stat().st_size for path in (settings.home / "online").glob("*"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
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
