"""Faults of storing and publishing, many times each: what is lost, what is half published, whether work goes on.

    python -m tests.bench faults [--rounds 20] [--fault NAME] [--seed 7]

Every round changes some days of one small home under a fault. Then all published days are compared, row by row, with
what they must hold, and a further day is published. Rows are staged directly: no Spark runs, and a job killed while it
writes is a process that is killed after half of a file. A disk is full by a limit on the size of files.
"""

import argparse
import logging
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import patch

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table as IcebergTable

from pipeline.runtime.errors import FencedError, StagingError, TidemarkError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage import provenance, staging
from pipeline.storage.catalog import file_schema, load_table
from pipeline.storage.files import write_day
from pipeline.storage.maintenance import maintain
from pipeline.storage.publish import publish
from pipeline.storage.reading import published, read
from pipeline.storage.rollback import rollback
from pipeline.tables.registry import ACCOUNTING
from tests.unit.pipeline.rows import accounting_rows, publish_accounting, stage_accounting

FIRST = date(2026, 1, 1)
PUBLISHERS, BACKFILLED = 4, 28
LONGEST = 120  # seconds that a process of a round may take
SERVER = multiprocessing.get_context("forkserver")


@dataclass
class World:
    """A home and what it must hold: the rows of each day."""

    settings: Settings
    chance: random.Random
    held: dict[str, int] = field(default_factory=dict)
    number: int = 0

    def run(self) -> str:
        self.number += 1
        return f"run-{self.number}"

    def rows(self) -> int:
        """A number of rows that no other publication of this home has."""
        return self.number % 97 + 1

    def day(self) -> str:
        return (FIRST + timedelta(self.chance.randrange(5))).isoformat()

    def publish(self, ds: str) -> None:
        run = self.run()
        publish_accounting(self.settings, run, {ds: self.rows()}, self.number)
        self.held[ds] = self.number

    def stage(self, ds: str) -> tuple[str, int]:
        run = self.run()
        stage_accounting(self.settings, run, {ds: self.rows()}, self.number)
        return run, self.number

    def wrong(self) -> list[str]:
        """A line per day that does not hold what it must."""
        days = published("accounting", self.settings)
        found = [f"published {sorted(days)}, expected {sorted(self.held)}"] if days.keys() != self.held.keys() else []
        for ds in days.keys() & self.held.keys():
            number = self.held[ds]
            wanted = accounting_rows(ds, number % 97 + 1, number).sort_by("platform")
            rows = read("accounting", ds, self.settings).select(wanted.column_names).sort_by("platform")
            if rows.to_pylist() != wanted.to_pylist() or days[ds].rows != len(wanted):
                found.append(f"{ds}: {rows.num_rows} rows and not the {len(wanted)} of {number}")
        return found


def in_process(work: Callable[..., None], *arguments: object) -> int | None:
    """Exit code of a process that did this; it is killed when it takes too long."""
    process = SERVER.Process(target=work, args=arguments)
    process.start()
    process.join(LONGEST)
    if process.is_alive():
        process.kill()
        process.join()
        raise TimeoutError(f"{work.__name__}: no end within {LONGEST} s")
    return process.exitcode


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed(code: int | None) -> None:
    assert code == -signal.SIGKILL, f"expected a killed process, found exit code {code}"


def write_half(settings: Settings, run: str, ds: str) -> None:
    attempt = staging.begin(settings, "accounting", run)
    path = Path(write_day(attempt.day(ds), accounting_rows(ds, 50), file_schema(settings, ACCOUNTING)))
    path.write_bytes(path.read_bytes()[:700])
    die()


def killed_writer(world: World) -> None:
    run, ds = world.run(), world.day()
    killed(in_process(write_half, world.settings, run, ds))
    stage_accounting(world.settings, run, {ds: world.rows()}, world.number)  # the retry of the same run
    publish(world.settings, ACCOUNTING, run)
    world.held[ds] = world.number


def publish_and_die(settings: Settings, run: str, point: str) -> None:
    commit = SqlCatalog.commit_table
    if point == "provenance":
        provenance.keep = die  # type: ignore[assignment]
    elif point == "transaction":
        IcebergTable.transaction = die  # type: ignore[assignment, method-assign]
    elif point == "before":
        SqlCatalog.commit_table = die  # type: ignore[assignment, method-assign]
    else:
        SqlCatalog.commit_table = lambda *it: (commit(*it), die())[0]  # type: ignore[assignment, method-assign]
    publish(settings, ACCOUNTING, run)


def killed_publisher(world: World) -> None:
    """At four points: before and after what it was made from is kept, before and after the catalogue's commit."""
    for point in ("provenance", "transaction", "before", "after"):
        ds = world.day()
        run, number = world.stage(ds)
        killed(in_process(publish_and_die, world.settings, run, point))
        if point == "after":
            world.held[ds] = number
        assert not world.wrong(), f"killed at {point}: {world.wrong()}"
        changed = publish(world.settings, ACCOUNTING, run)
        assert bool(changed) == (point != "after"), f"the retry after {point} changed {list(changed)}"
        world.held[ds] = number


def lost_reply(world: World) -> None:
    ds = world.day()
    run, number = world.stage(ds)
    commit = SqlCatalog.commit_table

    def lose(*arguments: object) -> None:
        commit(*arguments)  # type: ignore[arg-type]
        raise OSError("the connection was lost")

    with patch.object(SqlCatalog, "commit_table", lose), suppress(OSError):
        publish(world.settings, ACCOUNTING, run)
    world.held[ds] = number
    assert publish(world.settings, ACCOUNTING, run) == {}, "the retry published again"


def zombie(world: World) -> None:
    """The supervisor is dead and started the run anew, and the old attempt still writes."""
    ds, run = world.day(), world.run()
    old = staging.begin(world.settings, "accounting", run)
    older, _ = world.stage(ds)
    stage_accounting(world.settings, run, {ds: world.rows()}, world.number)
    publish(world.settings, ACCOUNTING, run)
    world.held[ds] = world.number
    refused(StagingError, staging.complete, old, [ds], {})
    with suppress(FencedError):  # the same rows are no error
        assert not publish(world.settings, ACCOUNTING, older), "a zombie published"


def refused(error: type[Exception], call: Callable[..., object], *arguments: object) -> None:
    try:
        call(*arguments)
    except error:
        return
    raise AssertionError(f"expected {error.__name__}, found none")


def try_to_publish(settings: Settings, run: str) -> None:
    with suppress(FencedError):
        publish(settings, ACCOUNTING, run)


def four_publishers(world: World) -> None:
    ds = world.day()
    staged = [world.stage(ds) for _ in range(PUBLISHERS)]
    together([(try_to_publish, world.settings, run) for run, _ in staged])
    world.held[ds] = staged[-1][1]


def together(calls: list[tuple]) -> None:
    processes = [SERVER.Process(target=work, args=arguments) for work, *arguments in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join(LONGEST)
        assert process.exitcode == 0, f"expected exit code 0, found {process.exitcode}"


def backfill(world: World) -> None:
    days = [(FIRST + timedelta(10 + number)).isoformat() for number in range(BACKFILLED)]
    staged = {ds: world.stage(ds) for ds in days}
    with ThreadPoolExecutor(BACKFILLED) as threads:
        list(threads.map(lambda it: publish(world.settings, ACCOUNTING, it[0]), staged.values()))
    world.held |= {ds: number for ds, (_, number) in staged.items()}


def audit_raises(world: World) -> None:
    run, ds = world.run(), world.day()
    attempt = staging.begin(world.settings, "accounting", run)
    rows = accounting_rows(ds, world.rows(), world.number)
    staging.complete(attempt, [ds], {ds: [write_day(attempt.day(ds), rows, file_schema(world.settings, ACCOUNTING))]})
    refused(StagingError, publish, world.settings, ACCOUNTING, run)  # no receipt: the audit never ended


def bad_file(world: World) -> None:
    """A staged file loses its end after the audit."""
    ds = world.day()
    run, _ = world.stage(ds)
    (path,) = staging.run_folder(world.settings, "accounting", run).rglob("*.parquet")
    path.write_bytes(path.read_bytes()[: world.chance.randrange(1, 600)])
    refused(Exception, publish, world.settings, ACCOUNTING, run)


def try_to_roll_back(settings: Settings, ds: str) -> None:
    with suppress(FencedError):
        rollback(settings, ACCOUNTING, ds)


def publish_against_rollback(world: World) -> None:
    ds = world.day()
    for _ in range(2):
        world.publish(ds)
    before = world.held[ds] - 1
    run, number = world.stage(ds)
    together([(try_to_publish, world.settings, run), (try_to_roll_back, world.settings, ds)])
    landed = set(read("accounting", ds, world.settings)["rows_landed"].to_pylist())
    assert len(landed) == 1 and landed <= {before, before + 1, number}, f"{ds} holds rows of {landed}"
    world.held[ds] = landed.pop()


def collect_after_rollback(world: World) -> None:
    """The copies that a rollback made must outlive the snapshots and files that it came from."""
    ds = world.day()
    for _ in range(2):
        world.publish(ds)
    rollback(world.settings, ACCOUNTING, ds)
    world.held[ds] -= 1
    iceberg = load_table(world.settings, ACCOUNTING)
    assert iceberg is not None
    old = [it.snapshot_id for it in iceberg.snapshots()][:-1]
    iceberg.maintenance.expire_snapshots().by_ids(old).commit()
    aged(world.settings)
    maintain(world.settings)


def aged(settings: Settings) -> None:
    then = time.time() - 2 * settings.retention_days * 86_400
    for folder in (settings.staging, settings.warehouse):
        for path in folder.rglob("*"):
            os.utime(path, (then, then))


def collect_during_write(world: World) -> None:
    aged(world.settings)
    ds = world.day()
    run, number = world.stage(ds)
    keep = provenance.keep

    def keep_and_collect(*arguments: object) -> None:
        maintain(world.settings)
        keep(*arguments)  # type: ignore[arg-type]

    with patch.object(provenance, "keep", keep_and_collect):
        publish(world.settings, ACCOUNTING, run)
    world.held[ds] = number


def stage_on_full_disk(settings: Settings, run: str, ds: str, number: int) -> None:
    staging.run_folder(settings, "accounting", run).mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    attempt = staging.begin(settings, "accounting", run)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
    with suppress(OSError):
        files = [write_day(attempt.day(ds), accounting_rows(ds, 90, number), file_schema(settings, ACCOUNTING))]
        staging.complete(attempt, [ds], {ds: files})
        sys.exit(3)  # it was written though there was no room


def full_disk_twice(world: World) -> None:
    """The same run is dispatched twice, and both write to a full disk; a third attempt finds room."""
    run, ds = world.run(), world.day()
    together([(stage_on_full_disk, world.settings, run, ds, world.number)] * 2)
    refused(TidemarkError, publish, world.settings, ACCOUNTING, run)
    assert not world.wrong(), f"{world.wrong()}"
    stage_accounting(world.settings, run, {ds: world.rows()}, world.number)
    publish(world.settings, ACCOUNTING, run)
    world.held[ds] = world.number


FAULTS: dict[str, Callable[[World], None]] = {
    "killed-writer": killed_writer,
    "killed-publisher": killed_publisher,
    "lost-reply": lost_reply,
    "zombie": zombie,
    "four-publishers": four_publishers,
    "backfill-28": backfill,
    "audit-raises": audit_raises,
    "bad-file": bad_file,
    "publish-rollback": publish_against_rollback,
    "rollback-collect": collect_after_rollback,
    "collect-in-write": collect_during_write,
    "full-disk-twice": full_disk_twice,
}


def suffer(world: World, name: str) -> list[str]:
    """One round; a line per thing that went wrong."""
    try:
        FAULTS[name](world)
        found = world.wrong()
        world.publish(world.day())  # the next command
        return found + world.wrong()
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--fault", choices=list(FAULTS), action="append")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    logging.getLogger("pyiceberg").setLevel(logging.ERROR)  # says each retry
    SERVER.set_forkserver_preload(["tests.bench.bench_faults"])
    failures = 0
    print(f"{'fault':<17} rounds failures seconds")
    for name in arguments.fault or FAULTS:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["TIDEMARK_HOME"] = folder
            world = World(load_settings(), random.Random(arguments.seed))
            world.publish(FIRST.isoformat())
            began = time.monotonic()
            found = [(number, line) for number in range(arguments.rounds) for line in suffer(world, name)]
        failed = len({number for number, _ in found})
        failures += failed
        print(f"{name:<17} {arguments.rounds:6} {failed:8} {time.monotonic() - began:7.1f}", flush=True)
        for number, line in found[:3]:
            print(f"  round {number}: {line[:300]}", flush=True)
    if failures:
        raise SystemExit(f"error: {failures} rounds failed")


if __name__ == "__main__":
    main()
