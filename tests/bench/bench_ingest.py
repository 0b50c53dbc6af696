"""Seconds and peak memory of ingest and clean on one large day.

    python tests/bench/bench_ingest.py --rows 5000000

Lands a day of JSON lines like a web shop's (one gzip file) in a temporary home, runs both jobs as
processes, and prints what each took.
"""

import argparse
import contextlib
import gzip
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

DS = "2011-03-01"
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


def measure(name: str, *command: str) -> None:
    """Runs a step; prints its seconds, CPU seconds, and the largest process while it ran."""
    start, peak, cpu = time.perf_counter(), 0, {}
    step = psutil.Popen([sys.executable, *command], stderr=subprocess.DEVNULL)
    while step.poll() is None:
        for process in family(step):
            with contextlib.suppress(psutil.NoSuchProcess):
                peak = max(peak, process.memory_info().rss)
                cpu[process.pid] = sum(process.cpu_times()[:2])
        time.sleep(0.2)
    if step.returncode:
        sys.exit(f"error: {name} failed; run it by hand to see why")
    seconds = time.perf_counter() - start
    print(f"{name:<8} {seconds:7.1f} s {sum(cpu.values()):7.1f} CPU s {peak / 1e9:6.2f} GB largest")


def family(step: psutil.Popen) -> list[psutil.Process]:
    try:
        return [step, *step.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TIDEMARK_HOME"] = folder
        land(Path(folder), rows)
        run = ("--run", "bench")
        measure("ingest", "spark_jobs/ingest_raw.py", "--ds", DS, *run)
        for step in ("audit", "publish"):
            measure(step, "-m", f"pipeline.{step}", "--table", "raw_events", *run)
        measure("clean", "spark_jobs/clean_events.py", "--ds", DS, *run)


if __name__ == "__main__":
    main()
