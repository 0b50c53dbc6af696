"""What is stale, and making exactly that again."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from filelock import FileLock, Timeout

from pipeline.orchestration.graph import Step
from pipeline.orchestration.range_load import Load
from pipeline.orchestration.steps import REPORT, SCORE, SERVE
from pipeline.orchestration.warm import warm_processes
from pipeline.runtime.errors import OnlineError, OrchestrationError
from pipeline.runtime.private import make_home
from pipeline.runtime.processes import Processes, Usage
from pipeline.runtime.settings import Settings
from pipeline.storage.lineage import Lineage, Stale
from pipeline.storage.provenance import seconds_taken
from pipeline.storage.reading import published, scan
from pipeline.storage.repair_plan import Batch, batches, repair_all
from pipeline.tables.registry import USER_FEATURES

FIRST, LAST = "0001-01-01", "9999-12-31"
START_SECONDS = 15  # of the processes of a step
Show = Callable[[str, str, Usage], None]


def print_stale(settings: Settings) -> bool:
    """Lists what is stale and why; returns whether anything is."""
    lineage = Lineage(settings)
    for it in lineage.stale:
        print(it)
    for ds, changes in lineage.landing_changes().items():
        for path in changes.vanished:
            print(f"note: {path} of ds={ds} has vanished; its rows stay (`repair --vanished` drops them)")
    for table, ds in lineage.held():
        print(f"note: {table} ds={ds} was rolled back by hand; it stays until its day is run again")
    unknown = lineage.unknown()
    if unknown:
        days = {ds for _, ds in unknown}
        print(
            f"note: {len(unknown)} partitions of {min(days)}..{max(days)} were published by an earlier version, which "
            "did not keep what they were made from; they count as fresh"
        )
    own = [it for it in lineage.stale if not it.follows]
    print(f"{len(lineage.stale)} partitions stale, {len(own)} of them for a reason of their own")
    return bool(lineage.stale)


def repair(settings: Settings, first: str | None, last: str | None, dry_run: bool, vanished: bool, show: Show) -> None:
    """Makes again what is stale in [first, last], in order; what came out equal cuts off what would follow.

    Raises OrchestrationError when a step fails; what was repaired by then stays, and the next repair goes on.
    """
    settings = settings.model_copy(update={"forget_vanished": vanished or settings.forget_vanished})
    first, last = first or FIRST, last or LAST
    plan = list(batches(Lineage(settings), first, last, set()))
    _print_plan(settings, plan)
    if dry_run or not plan:
        return
    began = time.monotonic()
    with _alone(settings), warm_processes(settings) as processes:
        made = _Repair(settings, show, processes).run(first, last)
    print(f"repaired {len(made)} days of steps in {time.monotonic() - began:.0f} s")


def scored_with(settings: Settings, ds: str) -> str:
    """The version of the model that the published features of a day come from, which scores it again; empty when they
    have no rows."""
    rows = scan(USER_FEATURES.name, ds, settings).select("model_version").to_arrow_batch_reader()
    for batch in rows:
        if batch.num_rows:
            return str(batch["model_version"][0].as_py())
    return ""


def served_night(settings: Settings) -> str:
    """The day that the online store serves; empty when it serves none or is out of reach."""
    from pipeline.features.online import open_backend  # what is stale is listed without the store's libraries

    try:
        current = open_backend(settings).nights().current
    except OnlineError:
        return ""
    return current.ds if current else ""


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One repair at a time: two would make the same partitions again. Raises OrchestrationError."""
    make_home(settings.home)
    lock = FileLock(settings.home / "repair.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise OrchestrationError("repair: another repair of this home is under way; wait for its end") from None
    with lock:
        yield


def _print_plan(settings: Settings, plan: Sequence[Batch]) -> None:
    if not plan:
        print("nothing is stale")
        return
    taken = seconds_taken(settings)
    total = 0.0
    for batch in plan:
        expected = START_SECONDS + sum(
            taken.get((table, ds), taken.get((table, ""), 0.0)) for table in batch.step.writes for ds in batch.days
        )
        total += expected
        whether = "" if batch.certain else " (if what it stands on comes out different)"
        print(f"{batch}: about {expected:.0f} s{whether}; {_why(batch.stale)}")
    print(f"{len(plan)} batches, about {total / 60:.0f} min at most")


def _why(stale: Sequence[Stale]) -> str:
    """The first reason, preferably one of its own."""
    own = [it for it in stale if not it.follows] or list(stale)
    more = f" (and {len(stale) - 1} more)" if len(stale) > 1 else ""
    return f"{own[0]}{more}"


class _Repair:
    """One repair: a run id of its own for every batch."""

    def __init__(self, settings: Settings, show: Show, processes: Processes) -> None:
        self.settings = settings
        self.show = show
        self.processes = processes
        self.run_id = f"repair-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}"
        self.number = 0

    def run(self, first: str, last: str) -> set[tuple[str, str]]:
        """Returns the (step, ds) that were made again."""
        done = repair_all(self.settings, first, last, self._make)
        self._follow(sorted({ds for _, ds in done}))
        return done

    def _make(self, batch: Batch) -> None:
        self.number += 1
        print(f"{batch}: {_why(batch.stale)}", flush=True)
        run = f"{self.run_id}-{self.number}"
        load = Load(self.settings, batch.days[0], batch.days[-1], run, self.show, self.processes)
        if batch.step.name == SCORE.name:
            load.champion = scored_with(self.settings, batch.days[-1])
        load.run_step(batch.step)

    def _follow(self, days: list[str]) -> None:
        """What readers get from the repaired days: the online store, and the report of each night."""
        for ds in days:
            if ds not in published(USER_FEATURES.name, self.settings):
                continue
            for step in (SERVE, REPORT) if ds == served_night(self.settings) else (REPORT,):
                self._run(step, ds)

    def _run(self, step: Step, ds: str) -> None:
        self.number += 1
        run = f"{self.run_id}-{self.number}"
        Load(self.settings, ds, ds, run, self.show, self.processes).run_step(step)
