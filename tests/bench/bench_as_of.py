"""CPU seconds and memory of `features.as_of` over made-up days of `user_features`.

    python -m tests.bench as_of [--users 50000] [--days 2] [--labels 50000]

Each kind of read is a process of its own, so that peak memory is its own too.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.features.as_of_join import as_of
from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings, load_settings
from pipeline.tables.registry import USER_FEATURES
from tests.bench.online_rows import CHUNK, chunk, user
from tests.bench.processes import again
from tests.bench.publishing import publish_day

FIRST = "2024-03-04"
FEW = ["recency_days", "events_28d", "spend_28d", "drift_score", "p_purchase_7d"]
KINDS: dict[str, list[str] | None] = {"nothing": [], "five columns": FEW, "all columns": None}


def publish_days(settings: Settings, users: int, days: int) -> None:
    """`days` days of the same users, published without an audit."""
    for ds in (shift(FIRST, number) for number in range(days)):
        publish_day(settings, USER_FEATURES, ds, night(users, ds))


def night(users: int, ds: str) -> Iterator[pa.Table]:
    random = np.random.default_rng(1)
    for first in range(0, users, CHUNK):
        rows = pa.Table.from_batches([chunk(first, min(CHUNK, users - first), random)])
        for name in ("ds", "model_ds"):
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(place, name, pa.array([ds] * len(rows)))
        yield rows


def labels(users: int, days: int, count: int) -> pa.Table:
    random = np.random.default_rng(2)
    begin = datetime.fromisoformat(FIRST).replace(tzinfo=UTC) + timedelta(days=1)
    seconds = random.integers(0, days * 86_400, count)
    return pa.table(
        {
            "user_id": [user(int(number)) for number in random.integers(0, users, count)],
            "event_timestamp": pa.array(
                [begin + timedelta(seconds=int(it)) for it in seconds], pa.timestamp("us", "UTC")
            ),
        }
    )


def join(kind: str, users: int, days: int, count: int) -> None:
    frame = labels(users, days, count)
    began = time.process_time()
    columns = KINDS[kind]
    found = as_of(frame, columns) if columns != [] else frame
    seconds = time.process_time() - began
    print(
        f"{kind:14} {seconds:6.1f} CPU s, {peak_mib():6.0f} MiB at most, {found.nbytes / 2**20:6.0f} MiB of result",
        flush=True,
    )


def peak_mib() -> float:
    """Of this program alone: getrusage would count what the process was before it, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 2**10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--labels", type=int, default=50_000)
    parser.add_argument("--join", choices=KINDS, help="one kind of read, over an existing home")
    given = parser.parse_args()
    if given.join:
        join(given.join, given.users, given.days, given.labels)
        return
    with tempfile.TemporaryDirectory() as home:
        os.environ["TIDEMARK_HOME"] = home
        publish_days(load_settings(), given.users, given.days)
        print(f"{given.users} users, {given.days} days, {given.labels} labels", flush=True)
        for kind in KINDS:
            subprocess.run(again("as_of", *sys.argv[1:], "--join", kind), check=True)


if __name__ == "__main__":
    main()
