"""Sessions two ways: the vectorised kernel after one shuffle, and Spark SQL windows.

    python -m tests.bench sessions --events 3000000

Writes made-up events to a temporary folder, sessionizes them in a session of two cores, and prints
rows and seconds of each way, best of `--rounds`. Both ways give the same number of sessions.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pipeline.runtime.settings import Settings
from pipeline.tables.schema import INSTANT
from spark_jobs.engine.session import open_session
from spark_jobs.events.sessions import sessionize

GAP, LONGEST = timedelta(minutes=30), timedelta(hours=24)
DAY_MICROS = 86_400_000_000
EVENTS_PER_USER = 20


def made_up(events: int, seed: int = 1) -> pa.Table:
    """One day of events in bursts: a start per user and visit, then minutes between clicks."""
    random = np.random.default_rng(seed)
    users = random.integers(0, events // EVENTS_PER_USER, events)
    visit = random.integers(0, 3, events)
    start = (users * 7919 + visit * 28_800) % 80_000
    time_ = (start + random.integers(0, 1_800, events)) * 1_000_000
    kinds = np.array(["view", "view", "view", "search", "cart", "purchase"])
    return pa.table(
        {
            "platform": pa.array(["shop"] * events),
            "account_id": pa.array(np.char.mod("%032x", users)),
            "event_id": pa.array(np.char.mod("%032x", np.arange(events))),
            "item_id": pa.array(np.char.mod("shop:%d", random.integers(0, 50_000, events))),
            "event_type": pa.array(kinds[random.integers(0, len(kinds), events)]),
            "event_time": pa.array(time_ + 15_000 * DAY_MICROS, pa.int64()).cast(INSTANT),
            "arrival_ds": pa.array(["2011-01-26"] * events),
            "quantity": pa.array(np.ones(events)),
            "price": pa.array(random.integers(1, 100, events) / 4),
        }
    )


def with_windows(events: DataFrame) -> DataFrame:
    """The same counts by two windows and an aggregation (without late events and the 24 h cut)."""
    lane = Window.partitionBy("platform", "account_id").orderBy("event_time", "event_id")
    seconds = F.unix_micros("event_time") - F.unix_micros(F.lag("event_time").over(lane))
    new = F.coalesce((seconds >= GAP.total_seconds() * 1e6).cast("int"), F.lit(1))
    numbered = events.withColumn("session", F.sum(new).over(lane))
    path = F.sort_array(F.collect_list(F.struct("event_time", "event_id", "item_id")))
    return numbered.groupBy("platform", "account_id", "session").agg(
        F.min("event_time").alias("started_at"),
        F.max("event_time").alias("ended_at"),
        F.count("*").alias("events"),
        *[F.count_if(F.col("event_type") == kind) for kind in ("view", "search", "cart")],
        F.count_distinct("item_id").alias("items"),
        F.sum(F.when(F.col("event_type") == "purchase", F.col("quantity") * F.col("price"))),
        F.transform(path, lambda row: row["item_id"]).alias("item_ids"),
    )


def measure(way: Callable[[DataFrame], DataFrame], events: DataFrame, rounds: int) -> str:
    best, rows = float("inf"), 0
    for _ in range(rounds):
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            way(events).write.parquet(f"{folder}/sessions")
            best = min(best, time.perf_counter() - started)
            rows = events.sparkSession.read.parquet(f"{folder}/sessions").count()
    return f"{rows:9} sessions {best:6.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    spark = open_session(Settings(), "bench")
    spark.sparkContext.setLogLevel("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "events.parquet")
        pq.write_table(made_up(arguments.events), path, row_group_size=200_000)
        events = spark.read.parquet(path)
        kernel = measure(lambda rows: sessionize(rows, {"shop": "UTC"}, GAP, LONGEST), events, arguments.rounds)
        print(f"{arguments.events} events\nkernel  {kernel}")
        print(f"windows {measure(with_windows, events, arguments.rounds)}")
    spark.stop()


if __name__ == "__main__":
    main()
