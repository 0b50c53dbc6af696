"""Seconds and peak memory of landing one large day: ingest and clean, then audit and publish.

    python -m tests.bench ingest --rows 5000000

Lands a day of JSON lines like a web shop's (one gzip file) in a temporary home, runs the step
as the night does, and prints what each took; the peak is that of the largest process.
"""

import argparse
import gzip
import tempfile
from pathlib import Path

import numpy as np

from pipeline.orchestration import step_commands
from pipeline.orchestration.steps import LAND
from pipeline.runtime.settings import Settings
from tests.bench.processes import measured_family

DS, RUN = "2011-03-01", "bench"
TOML = """
platform = "shop"
timezone = "Europe/Berlin"
near_duplicate_seconds = 2
[delivery]
path = "shop/{ds}.jsonl.gz"
format = "jsonl"
columns = ["uid", "ts", "action", "sku", "price", "qty"]
[event]
user_id = "uid"
item_id = "sku"
event_type = "action"
event_time = "to_timestamp(ts)"
price = "CAST(price AS DOUBLE)"
quantity = "CAST(qty AS DOUBLE)"
attributes = "map('n', qty)"
"""
LINE = '{"uid":"user-%d","ts":"2011-03-01T%02d:%02d:%02d+01:00","action":"%s","sku":"SKU-%d","price":%.2f,"qty":1}\n'


def land(home: Path, rows: int) -> None:
    """A day of `rows` events of rows / 50 users."""
    random = np.random.default_rng(7)
    (home / "sources").mkdir(parents=True)
    (home / "sources" / "shop.toml").write_text(TOML)
    (home / "landing" / "shop").mkdir(parents=True)
    kinds = ["impression", "view", "cart", "purchase"]
    with gzip.open(home / "landing" / "shop" / f"{DS}.jsonl.gz", "wt", 1) as file:
        for start in range(0, rows, 100_000):
            n = min(100_000, rows - start)
            users, seconds = (
                random.integers(0, max(rows // 50, 1), n),
                random.integers(0, 86_400, n),
            )
            types, items = random.integers(0, 4, n), random.zipf(1.3, n) % 50_000
            file.writelines(
                LINE % (u, s // 3600, s // 60 % 60, s % 60, kinds[t], i, i % 997 / 10)
                for u, s, t, i in zip(users, seconds, types, items, strict=True)
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        land(settings.home, rows)
        for name, command in (
            ("land", step_commands.job(LAND, settings, DS, DS, RUN)),
            ("release", step_commands.release(LAND, RUN)),
        ):
            print(f"{name:<8} {measured_family(command, step_commands.environment(settings))}", flush=True)


if __name__ == "__main__":
    main()
