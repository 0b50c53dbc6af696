"""Land events on the day after the newest night of a home, refresh, and report how soon they were
readable online.

    TIDEMARK_HOME=... python -m tests.bench intraday --events 50000

Needs the sample's platform `webshop` with a published night, and writes to the home: the landed
file holds the web shop's records of before, the newest first, moved to that day; where they are too
few, again under other users' ids. Run again, it lands the file once more, and all of it is
refreshed. Prints wall seconds of each process, CPU seconds of all, seconds by step, and those from
landing to readable.
"""

import argparse
import gzip
import json
import re
import resource
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

from pipeline.commands.run import show
from pipeline.features.online import open_store
from pipeline.intraday.refreshes import newest
from pipeline.orchestration.range_load import run_steps
from pipeline.orchestration.steps import INTRADAY_STEPS
from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage.reading import published, read

LIMIT_SECONDS = 300
DAY = re.compile(rb'"ts":"\d{4}-\d{2}-\d{2}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50_000)
    given, settings = parser.parse_args(), load_settings()
    base = max(published("user_features", settings))
    day = shift(base, 1)
    records = land(settings, day, given.events)
    print(f"landed {records:,} records of {day} on the night of {base}")
    began = time.monotonic()
    run_steps(settings, INTRADAY_STEPS, f"{day}T12", f"bench-{time.time_ns()}", show)
    report(settings, day, time.monotonic() - began)


def land(settings: Settings, day: str, records: int) -> int:
    """Writes the day's file, renamed into place when it is whole; returns its records."""
    folder, written = settings.landing / "webshop", 0
    file = folder / f"{day}.jsonl.gz"
    with gzip.open(folder / ".landing", "wb", compresslevel=1) as landed:
        for line in islice(lines_before(folder, day), records):
            landed.write(DAY.sub(f'"ts":"{day}'.encode(), line))
            written += 1
    (folder / ".landing").replace(file)
    return written


def lines_before(folder: Path, day: str) -> Iterator[bytes]:
    """Records of the days before, the newest day first; then those of as many other users."""
    files = [file for file in sorted(folder.glob("*.jsonl.gz"), reverse=True) if file.name < day]
    assert files, f"expected files of the web shop below {folder}"
    for copy in count():
        user = f'"uid":"{copy}-'.encode() if copy else b'"uid":"'
        for file in files:
            with gzip.open(file) as lines:
                yield from (line.replace(b'"uid":"', user) for line in lines)


def report(settings: Settings, day: str, seconds: float) -> None:
    row = newest(settings)
    assert row is not None and row["ds"] == day
    readable = read("user_features_intraday", day, settings)["user_id"].to_pylist()
    found = open_store(settings).get(readable)
    assert all(one and one["ds"] == day for one in found), "a row that readers do not find"
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    steps = {one["step"]: round(one["seconds"], 1) for one in row["seconds"]}  # type: ignore
    counts = {name: row[name] for name in ("records", "events", "duplicates", "quarantined", "users")}
    print(f"{json.dumps(counts)}, rows readable online: {len(found):,}")
    print(f"seconds by step: {json.dumps(steps)}")
    print(f"CPU seconds of all processes: {used.ru_utime + used.ru_stime:.1f}")
    waited = (row["readable_at"] - row["last_landed_at"]).total_seconds()  # type: ignore
    print(f"landing to readable: {waited:.1f} s (limit {LIMIT_SECONDS}); whole run {seconds:.1f} s")


if __name__ == "__main__":
    main()
