"""A year of nights over every table, with maintenance each week: what the home weighs, and whether it still grows.

    python -m tests.bench year [--nights 365] [--tables user_history,events] [--show 100,200,365]

Each night publishes a tiny partition of every table through the staging and publish functions, under a clock that moves
a day a night. Logs are bounded (TIDEMARK_KEEP at its least, with TIDEMARK_ACTIVE_DAYS=30), since by default they stay
for ever. Prints bytes and files of the home, per table where asked, and how long a night and a maintenance take.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pyarrow as pa

from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings
from pipeline.storage.maintenance import maintain
from pipeline.storage.retention import least_days
from pipeline.tables.registry import TABLES
from pipeline.tables.schema import Table
from tests.bench.publishing import publish_day
from tests.unit.pipeline.staged_factory import SOUND

FIRST = "2025-01-01"
DAY = 86_400
WEEK = 7
FEW_DAYS = 60  # of a log that nothing reads far back
ACTIVE_DAYS = 30


@dataclass(frozen=True)
class Weight:
    """What a home weighs after a night."""

    night: int
    bytes: int
    files: int
    publish_seconds: float  # of all tables that night
    maintain_seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--tables", default=",".join(TABLES), help="names, separated by commas")
    parser.add_argument("--show", default="100,200,365", help="nights to print")
    given = parser.parse_args()
    shown = {int(night) for night in given.show.split(",")} | {given.nights}
    with tempfile.TemporaryDirectory() as folder:
        settings = bounded(Settings(home=Path(folder)))
        for weight in nights(settings, [TABLES[name] for name in given.tables.split(",")], given.nights):
            if weight.night in shown:
                print(
                    f"night {weight.night:3}: {weight.bytes / 1e6:6.1f} MB in {weight.files:,} files, publishing "
                    f"{weight.publish_seconds:.1f} s, the last maintenance {weight.maintain_seconds:.1f} s",
                    flush=True,
                )


def bounded(settings: Settings) -> Settings:
    """Settings under which no table stays for ever."""
    active = settings.model_copy(update={"active_days": ACTIVE_DAYS})
    logs = [table for table in TABLES.values() if table.kept.days is None]
    keep = ", ".join(f"{table.name}={max(least_days(active, table)[0], FEW_DAYS)}" for table in logs)
    return active.model_copy(update={"keep": keep})


def nights(settings: Settings, tables: list[Table], count: int) -> Iterator[Weight]:
    """Publishes night after night, with maintenance each week; the home after each."""
    maintained = 0.0
    for night in range(1, count + 1):
        ds = shift(FIRST, night - 1)
        with _clock(settings, ds):
            began = time.perf_counter()
            for table in tables:
                rows = pa.Table.from_pylist([{**SOUND[table.name], "ds": ds}], schema=table.schema)
                publish_day(settings, table, ds, [rows])
            published = time.perf_counter() - began
            if night % WEEK == 0:
                began = time.perf_counter()
                maintain(settings)
                maintained = time.perf_counter() - began
        sizes = [path.stat().st_size for path in _files(settings)]
        yield Weight(night, sum(sizes), len(sizes), published, maintained)


@contextmanager
def _clock(settings: Settings, ds: str) -> Iterator[None]:
    """The day after `ds`, for snapshots, maintenance, and files that are written meanwhile."""
    began = time.time()
    now = time.mktime(time.strptime(shift(ds, 1), "%Y-%m-%d"))
    with mock.patch("time.time", lambda: now), mock.patch("time.time_ns", lambda: int(now * 1e9)):
        yield
    for path in _files(settings):
        if path.stat().st_mtime >= began - 1:
            os.utime(path, (now, now))


def _files(settings: Settings) -> list[Path]:
    return [path for path in settings.home.rglob("*") if path.is_file()]


if __name__ == "__main__":
    main()
