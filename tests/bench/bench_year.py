"""A year of nights over every table, with maintenance each week: what the home weighs, and whether it still grows.

    python -m tests.bench year [--nights 365] [--tables user_history,events] [--as-declared]

Each night publishes a tiny partition of every table through the staging and publish functions, under a clock that moves
a day a night. Logs are bounded (TIDEMARK_KEEP at its least, with TIDEMARK_ACTIVE_DAYS=30), unless `--as-declared`: then
they stay for ever, and grow by design. Prints for each month what tables weigh whose days go, and those whose days
stay, each with staged and metadata files; the catalogue's database; and CPU milliseconds of a commit and of planning
a read of the last four weeks, per table, and of a maintenance.
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
from pipeline.storage.reading import pinned_files
from pipeline.storage.retention import keep_of, least_days
from pipeline.tables.registry import TABLES
from pipeline.tables.schema import Table
from tests.bench.publishing import publish_day
from tests.unit.pipeline.staged_factory import SOUND

FIRST = "2025-01-01"
DAY = 86_400
WEEK = 7
FEW_DAYS = 60  # of a log that nothing reads far back
ACTIVE_DAYS = 30
MONTH = 30
READ_DAYS = 28


@dataclass(frozen=True)
class Weight:
    """What a home weighs after a night: bytes and files of tables whose days go, and of those whose days stay.

    Seconds are of CPU, those of a commit and a plan per table.
    """

    night: int
    bounded: tuple[int, int]
    for_ever: tuple[int, int]
    database: int
    commit_seconds: float
    plan_seconds: float
    maintain_seconds: float

    def __str__(self) -> str:
        held = [f"{size / 1e6:6.2f} MB in {files:5,} files" for size, files in (self.bounded, self.for_ever)]
        return (
            f"night {self.night:3}: days go {held[0]}, stay {held[1]}; database {self.database / 1e6:.2f} MB; a commit "
            f"{self.commit_seconds * 1000:.0f} ms, a plan {self.plan_seconds * 1000:.0f} ms, "
            f"the last maintenance {self.maintain_seconds:.1f} s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--tables", default=",".join(TABLES), help="names, separated by commas")
    parser.add_argument("--as-declared", action="store_true", help="logs stay for ever")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        settings = settings if given.as_declared else bounded(settings)
        for weight in nights(settings, [TABLES[name] for name in given.tables.split(",")], given.nights):
            if weight.night % MONTH == 0 or weight.night == given.nights:
                print(weight, flush=True)


def bounded(settings: Settings) -> Settings:
    """Settings under which no table stays for ever."""
    active = settings.model_copy(update={"active_days": ACTIVE_DAYS})
    logs = [table for table in TABLES.values() if table.kept.days is None]
    keep = ", ".join(f"{table.name}={max(least_days(active, table)[0], FEW_DAYS)}" for table in logs)
    return active.model_copy(update={"keep": keep})


def nights(settings: Settings, tables: list[Table], count: int) -> Iterator[Weight]:
    """Publishes night after night, with maintenance each week; the home after each."""
    maintained = 0.0
    staying = {table.name for table in tables if keep_of(settings, table).days is None}
    for night in range(1, count + 1):
        ds = shift(FIRST, night - 1)
        with _clock(settings, ds):
            began = time.process_time()
            for table in tables:
                rows = pa.Table.from_pylist([{**SOUND[table.name], "ds": ds}], schema=table.schema)
                publish_day(settings, table, ds, [rows])
            published = time.process_time() - began
            if night % WEEK == 0:
                began = time.process_time()
                maintain(settings)
                maintained = time.process_time() - began
        began = time.process_time()
        for table in tables:
            pinned_files(table.name, shift(ds, 1 - min(READ_DAYS, night)), ds, settings)
        planned = time.process_time() - began
        sizes: dict[str, list[int]] = {"": [], "bounded": [], "for ever": []}
        for path in _files(settings):
            named = [part for part in path.relative_to(settings.home).parts if part in TABLES]
            sizes[("for ever" if named[0] in staying else "bounded") if named else ""].append(path.stat().st_size)
        weights = {kind: (sum(found), len(found)) for kind, found in sizes.items()}
        seconds = published / len(tables), planned / len(tables), maintained
        yield Weight(night, weights["bounded"], weights["for ever"], weights[""][0], *seconds)


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
