"""Seconds and memory of `source import` by length, CSV and Parquet, and whether every record came through.

    python -m tests.bench import [1000000 10000000]

A history of a year, its rows in no order, of one file. The import runs in processes of its own; the peak is that of all
of them together, Java with TIDEMARK_SPARK_MEMORY (1g) included, sampled every 0.2 s. Records and a checksum of the days
are compared with those of the file.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from tests.bench.processes import measured_family

DAYS = 365
TOML = """
platform = "{kind}"
timezone = "Europe/Berlin"
[delivery]
path = "{kind}/{{ds}}.{kind}"
format = "{kind}"
columns = ["uid", "what", "sku", "at", "price"]
[event]
user_id = "uid"
item_id = "sku"
event_type = "what"
event_time = "{time}"
price = "CAST(price AS DOUBLE)"
"""
TIME = {"csv": "to_timestamp(at)", "parquet": "at"}


def write_history(path: Path, rows: int) -> None:
    """`rows` purchases of a year; drawn in pieces, written as one file."""
    rng, pieces, folder = np.random.default_rng(5), [], path.parent / "pieces"
    folder.mkdir(exist_ok=True)
    for at in range(0, rows, 1_000_000):
        size = min(1_000_000, rows - at)
        seconds = 1_735_689_600 + rng.integers(0, DAYS * 86_400, size)
        piece = pl.DataFrame(
            {
                "uid": [f"u{n}" for n in rng.integers(0, 200_000, size)],
                "what": ["purchase"] * size,
                "sku": [f"SKU-{n}" for n in rng.integers(0, 30_000, size)],
                "at": pl.Series(seconds * 1_000_000).cast(pl.Datetime("us", "UTC")),
                "price": rng.integers(1, 10_000, size) / 100,
                "store": ["north"] * size,
            }
        )
        pieces.append(folder / f"{at}.parquet")
        piece.write_parquet(pieces[-1])
    frame = pl.scan_parquet(pieces)
    if path.suffix == ".csv":
        frame.with_columns(pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).sink_csv(path)
    else:
        frame.sink_parquet(path, row_group_size=200_000)
    for piece_file in pieces:
        piece_file.unlink()


def digest(paths: list[Path]) -> tuple[int, int]:
    """Records, and a sum of their hashes, which does not depend on their order."""
    files = [str(path) for path in paths]
    read = "read_csv(?, all_varchar = true)" if paths[0].suffix == ".csv" else "read_parquet(?)"
    with duckdb.connect(config={"memory_limit": "1GB"}) as connection:
        connection.execute("SET enable_progress_bar = false")
        rows, total = connection.execute(f"SELECT count(*), sum(hash(t)::HUGEINT) FROM {read} t", [files]).fetchone()
    return rows, total


def measure(kind: str, rows: int) -> None:
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        (home / "sources").mkdir()
        (home / "sources" / f"{kind}.toml").write_text(TOML.format(kind=kind, time=TIME[kind]))
        history = home / f"history.{kind}"
        write_history(history, rows)
        command = [sys.executable, "-m", "pipeline", "source", "import", kind, str(history)]
        used = measured_family(command, {"TIDEMARK_HOME": made})
        days = sorted((home / "landing" / kind).glob(f"*.{kind}"))
        same = "equal" if digest(days) == digest([history]) else "NOT EQUAL"
        print(
            f"{kind:<8} {rows:>11,} rows, {history.stat().st_size / 2**20:6.0f} MB: {used.seconds:6.1f} s, "
            f"{used.cpu_seconds:6.1f} s of CPU, peak {used.together_gib:.2f} GiB of all processes, "
            f"{used.largest_gib:.2f} of the largest; {len(days)} days, records {same}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="*", default=[1_000_000, 10_000_000], help="lengths of the history")
    for rows in parser.parse_args().rows:
        for kind in TIME:
            measure(kind, rows)


if __name__ == "__main__":
    main()
