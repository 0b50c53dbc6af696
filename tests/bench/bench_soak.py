"""Nights in a row in one process, with faults between and during them: what is lost, and what grows.

    python -m tests.bench soak [--nights 60] [--seed 7]

Each night publishes a day of its own, suffers one of the faults of `bench_faults` and then reads every published day
row by row; each seventh ends with maintenance, of files made old. Prints memory, open files, connections to the
catalogue, files on disk for each published day and the time of a publication, as medians of each quarter of the run.
Ends non-zero when anything was lost or is half published.
"""

import argparse
import logging
import os
import random
import tempfile
import time
from dataclasses import astuple, dataclass
from datetime import timedelta
from statistics import median

import psutil

from pipeline.runtime.settings import load_settings
from pipeline.storage.maintenance import maintain
from pipeline.storage.publish import publish
from pipeline.tables.registry import ACCOUNTING
from tests.bench.bench_faults import FAULTS, FIRST, SERVER, World, aged, suffer

NIGHTS_FROM = FIRST + timedelta(40)  # after the days that faults change
MAINTAINED = 7
GROWTH = 1.1  # of the last quarter over the second: the first one warms up


@dataclass
class Figures:
    """What a night leaves behind it."""

    rss_mb: float
    open_files: float
    connections: float
    files_a_day: float
    publish_ms: float


def night(world: World, number: int) -> Figures:
    """One night's day and one fault; raises AssertionError with what went wrong."""
    ds = (NIGHTS_FROM + timedelta(number)).isoformat()
    run, rows = world.stage(ds)
    began = time.monotonic()
    publish(world.settings, ACCOUNTING, run)
    took = time.monotonic() - began
    world.held[ds] = rows
    fault = world.chance.choice(list(FAULTS))
    wrong = suffer(world, fault)
    assert not wrong, f"night {number}, {fault}: {'; '.join(wrong)}"
    if number % MAINTAINED == MAINTAINED - 1:
        aged(world.settings)
        maintain(world.settings)
        assert not world.wrong(), f"night {number}, maintenance: {'; '.join(world.wrong())}"
    me = psutil.Process()
    files = sum(path.is_file() for path in world.settings.home.rglob("*"))
    catalogue = sum("catalog.db" in it.path for it in me.open_files())
    return Figures(me.memory_info().rss / 1e6, me.num_fds(), catalogue, files / len(world.held), took * 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=60, help="at least 4")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    if arguments.nights < 4:
        parser.error(f"--nights: expected at least 4, one a quarter, found {arguments.nights}")
    logging.getLogger("pyiceberg").setLevel(logging.ERROR)  # says each retry
    SERVER.set_forkserver_preload(["tests.bench.bench_faults"])
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TIDEMARK_HOME"] = folder
        world = World(load_settings(), random.Random(arguments.seed))
        try:
            found = [night(world, number) for number in range(arguments.nights)]
        except AssertionError as error:
            raise SystemExit(f"error: {error}") from None
    quarters = [found[len(found) * part // 4 : len(found) * (part + 1) // 4] for part in range(4)]
    print(f"{'':<12}" + "".join(f"{f'quarter {part}':>11}" for part in (1, 2, 3, 4)))
    for column, name in enumerate(Figures.__dataclass_fields__):
        values = [median(astuple(one)[column] for one in quarter) for quarter in quarters]
        flat = "flat" if values[3] <= values[1] * GROWTH else "grows"
        print(f"{name:<12}" + "".join(f"{value:11.1f}" for value in values) + f"  {flat}")
    print(f"{arguments.nights} nights, {len(world.held)} days published, nothing lost or half published")


if __name__ == "__main__":
    main()
