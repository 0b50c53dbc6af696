"""The data path beside a Polars and a DuckDB script that do the same work on the same files, their rows compared.

    python -m tests.bench path [--rows 1000000 5000000] [--shape gzip files parquet] [--only product]

From landed files to events, sessions and histories, in the two jobs of the night, `land` and `derive`, as `run` starts
them. Starting Spark and Java is included; memory is of all processes together, sampled five times a second.
`gzip` is one file of JSON lines, `files` a hundred of them, `parquet` one file. The scripts audit and publish nothing;
the product's releases are reported apart. One of the users has a hundredth of all events.
"""

import argparse
import gzip
import os
import re
import sys
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

import pipeline
from pipeline.orchestration import step_commands
from pipeline.orchestration.steps import DERIVE
from pipeline.runtime.settings import Settings
from tests.bench.processes import Usage, measured_family

DS, KEY = "2011-03-01", "key of the bench of the data path"
PATHS = {"gzip": "shop/{ds}.jsonl.gz", "files": "shop/{ds}/*.jsonl.gz", "parquet": "shop/{ds}.parquet"}
FILES = 100
PIECE = 200_000  # rows drawn at once
TOML = """
platform = "shop"
timezone = "UTC"
near_duplicate_seconds = 2
[delivery]
path = "{path}"
format = "{format}"
columns = ["uid", "ts", "action", "sku", "price", "qty"]
[event]
user_id = "uid"
item_id = "sku"
event_type = "action"
event_time = "to_timestamp(ts)"
price = "CAST(price AS DOUBLE)"
quantity = "CAST(qty AS DOUBLE)"
"""
LINE = '{"uid":"%s","ts":"%s","action":"%s","sku":"%s","price":%.2f,"qty":1}\n'
KINDS = ["impression", "view", "view", "view", "view", "cart", "purchase"]
SUMS = """
    SELECT count(*), count(DISTINCT account_id), sum(hash(account_id, item_id, event_type, epoch(event_time)::BIGINT,
           price, quantity)::HUGEINT) FROM read_parquet(?)"""
COUNTS = "SELECT count(*), sum(events), sum(purchases), round(sum(value), 2) FROM read_parquet(?)"
USERS = "SELECT count(*), sum(len(events)) FROM read_parquet(?)"
CHECKS = {"events": SUMS, "sessions": COUNTS, "user_history": USERS}


def draw(rows: int, size: int, random: np.random.Generator) -> pl.DataFrame:
    """Events of `rows` / 20 users in visits of up to half an hour; one in 200 is no event."""
    users = random.integers(0, max(rows // 20, 1), size)
    visit = random.integers(0, 3, size)
    seconds = (users * 7919 + visit * 28_800) % 80_000 + random.integers(0, 1800, size)
    kinds = np.where(random.random(size) < 0.005, "junk", np.array(KINDS)[random.integers(0, len(KINDS), size)])
    hot = random.random(size) < 0.01
    users[hot], seconds[hot] = 0, random.integers(0, 80_000, hot.sum())
    kinds[hot & (kinds != "junk")] = "cart"  # a till, not a robot: it does not browse
    items = np.minimum(random.zipf(1.3, size), 10**9) % 50_000
    return pl.DataFrame(
        {
            "uid": [f"user-{n}" for n in users],
            "ts": [f"{DS}T{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}Z" for s in seconds],
            "action": kinds,
            "sku": [f"SKU-{n}" for n in items],
            "price": items % 997 / 10,
            "qty": np.ones(size),
        }
    )


def land(home: Path, rows: int, shape: str) -> list[str]:
    """A home with one source and one day of it; the paths of its files."""
    (home / "sources").mkdir(mode=0o700)
    kind = "parquet" if shape == "parquet" else "jsonl"
    (home / "sources" / "shop.toml").write_text(TOML.format(path=PATHS[shape], format=kind))
    random = np.random.default_rng(7)
    pieces = (draw(rows, min(PIECE, rows - at), random) for at in range(0, rows, PIECE))
    folder = home / "landing" / "shop"
    if shape == "parquet":
        return [_parquet(folder, pieces)]
    count = FILES if shape == "files" else 1
    paths = (
        [folder / DS / f"{number:03}.jsonl.gz" for number in range(count)] if count > 1 else [folder / f"{DS}.jsonl.gz"]
    )
    paths[0].parent.mkdir(parents=True)
    for piece in pieces:
        lines = [LINE % row for row in piece.select("uid", "ts", "action", "sku", "price").iter_rows()]
        for number, path in enumerate(paths):  # a member a piece, which every reader of gzip joins
            with gzip.open(path, "at", 1) as file:
                file.writelines(lines[number::count])
    return list(map(str, paths))


def _parquet(folder: Path, pieces) -> str:
    folder.mkdir(parents=True)
    parts = [
        folder / f".{number}"
        for number, piece in enumerate(pieces)
        if piece.write_parquet(folder / f".{number}") is None
    ]
    pl.scan_parquet(parts).sink_parquet(folder / f"{DS}.parquet")
    for part in parts:
        part.unlink()
    return str(folder / f"{DS}.parquet")


def product(home: Path) -> tuple[Usage, dict[str, float]]:
    """What the range load of the day took in all, and the seconds of its jobs and of its releases."""
    command = [sys.executable, "-m", "pipeline", "run", "--from", DS, "--to", DS, "--until", DERIVE.name]
    environment = step_commands.environment(Settings(home=home)) | {"TIDEMARK_USER_KEY": KEY}
    used = measured_family([*command, "--incomplete"], environment)
    seconds = {"job": 0.0, "release": 0.0}
    for step, part, taken in re.findall(r"^(\w+) +(job|release) +([\d.]+) s", used.output, re.MULTILINE):
        seconds[part] += float(taken)
        print(f"  {step:<10} {part:<8} {taken:>6} s")
    for log in sorted((home / "logs").glob("range-*/*-job.log")):
        parts = [line for line in log.read_text().splitlines() if line.endswith(" s")]
        print(f"  {log.stem:<10} {', '.join(parts)}")
    return used, seconds


def sums(files: dict[str, list[str]]) -> dict[str, tuple]:
    """Counts and checksums of each table, which do not depend on the order of rows."""
    with duckdb.connect(config={"memory_limit": "2GB"}) as connection:
        connection.execute("SET enable_progress_bar = false")
        return {name: connection.execute(query, [files[name]]).fetchone() for name, query in CHECKS.items()}


def compare(rows: int, shape: str, only: str) -> None:
    with tempfile.TemporaryDirectory() as made:
        home = Path(made) / "home"
        home.mkdir(mode=0o700)
        landed = land(home, rows, shape)
        size = sum(Path(path).stat().st_size for path in landed) / 1e6
        print(f"{rows:,} rows, {shape}: {len(landed)} files, {size:.0f} MB", flush=True)
        found, seconds = {}, {}
        for name in ("polars", "duckdb"):
            if only in ("", name):
                out = Path(made) / name
                used = measured_family([sys.executable, "-m", f"tests.bench.path_{name}", KEY, str(out), *landed])
                print(f"  {name:<10} {used}, together {used.together_gib:.2f} GiB", flush=True)
                found[name] = sums({table: [f"{out}/{table}.parquet"] for table in CHECKS})
                seconds[name] = used.seconds
        if only in ("", "product"):
            used, taken = product(home)
            tables = pipeline.open(home)
            found["product"] = sums({table: tables.files(table, DS, DS)[1] for table in CHECKS})
            print(f"  {'product':<10} {used}, together {used.together_gib:.2f} GiB")
            print(f"  releases take {taken['release'] / taken['job']:.0%} of the jobs' {taken['job']:.1f} s")
            if seconds:
                faster = min(seconds, key=seconds.__getitem__)
                jobs, whole = taken["job"] / seconds[faster], used.seconds / seconds[faster]
                print(f"  {jobs:.1f} times the {faster} script, {whole:.1f} times with releases")
        first = next(iter(found))
        for name, values in found.items():
            for table, value in values.items():
                if value != found[first][table]:
                    sys.exit(f"error: {table}: {first} found {found[first][table]}, {name} {value}")
        print(f"  equal rows: {found[first]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 5_000_000])
    parser.add_argument("--shape", nargs="+", choices=PATHS, default=list(PATHS))
    parser.add_argument("--only", default="", choices=("", "product", "polars", "duckdb"))
    given = parser.parse_args()
    os.environ["TIDEMARK_USER_KEY"] = KEY
    for rows in given.rows:
        for shape in given.shape:
            compare(rows, shape, given.only)


if __name__ == "__main__":
    main()
