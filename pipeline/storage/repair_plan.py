"""What is to be made again so that nothing is stale: batches of days, step by step."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.orchestration.graph import Step
from pipeline.orchestration.step_commands import OVERTAKEN
from pipeline.orchestration.steps import NIGHT
from pipeline.runtime.days import days_between
from pipeline.runtime.errors import OrchestrationError
from pipeline.runtime.settings import Settings
from pipeline.storage.lineage import Lineage, Stale
from pipeline.tables.registry import RAW_EVENTS

TIMES_OVERTAKEN = 3  # that a batch is made again because its inputs have moved meanwhile
LONGEST_LOAD = 31  # days that a step which carries no state reads at once


@dataclass(frozen=True)
class Batch:
    """Days of a step that one job makes again; `stale` says why."""

    step: Step
    days: list[str]
    stale: list[Stale]

    @property
    def certain(self) -> bool:
        """Whether something is stale for a reason of its own, not only because of what comes before it."""
        return any(not it.follows for it in self.stale)

    def __str__(self) -> str:
        span = self.days[0] if len(self.days) == 1 else f"{self.days[0]}..{self.days[-1]}"
        return f"{self.step.name} {span}"


def next_batch(lineage: Lineage, first: str, last: str, done: set[tuple[str, str]]) -> Batch | None:
    """The batch that is due first among stale days of [first, last]; None when nothing is left.

    `done`: (step, ds) that were made again already. What they left stale would be so for ever.
    """
    return next(iter(batches(lineage, first, last, done)), None)


def repair_all(settings: Settings, first: str, last: str, make: Callable[[Batch], None]) -> set[tuple[str, str]]:
    """Has every batch of [first, last] made that is due; returns the (step, ds) that were made again.

    After each one the home is looked at anew: what came out as it was leaves nothing to be done behind it. A batch that
    was overtaken by another publisher is made once more. Raises the OrchestrationError of a batch that fails.
    """
    done: set[tuple[str, str]] = set()
    overtaken = 0
    while batch := next_batch(Lineage(settings), first, last, done):
        try:
            make(batch)
        except OrchestrationError as error:
            # What it reads was published anew in the meantime, or is stale by now itself.
            overtaken += 1
            again = next_batch(Lineage(settings), first, last, done)
            due_before = again is not None and (again.step.name, again.days) != (batch.step.name, batch.days)
            if overtaken > TIMES_OVERTAKEN or not (due_before or error.exit_code == OVERTAKEN):
                raise
            continue
        overtaken = 0
        done |= {(batch.step.name, ds) for ds in batch.days}
    return done


def batches(lineage: Lineage, first: str, last: str, done: set[tuple[str, str]]) -> Iterator[Batch]:
    """All batches, as they look now. Those that only follow others may turn out to be needless.

    Days after the newest loaded one are left to their night.
    """
    last = min(last, max(lineage.days(RAW_EVENTS.name), default=""))
    for step in NIGHT:
        mine = [it for it in lineage.stale if it.table in step.writes and first <= it.ds <= last and not it.waiting]
        days = sorted({it.ds for it in mine if (step.name, it.ds) not in done})
        for some in _runs(days, _longest(lineage.settings, step)):
            stale = [it for it in mine if it.ds in some]
            yield Batch(_needed(step, stale), some, stale)


def _longest(settings: Settings, step: Step) -> int:
    """Most days of one job. States are written for the last days of a range only."""
    if not step.daily:
        return 1
    states = any(not part.every_day for part in step.parts)
    return settings.snapshot_days if states else LONGEST_LOAD


def _runs(days: Sequence[str], longest: int) -> Iterator[list[str]]:
    """Stretches of consecutive days."""
    held: list[str] = []
    for ds in days:
        if held and (days_between(held[-1], ds) > 1 or len(held) == longest):
            yield held
            held = []
        held.append(ds)
    if held:
        yield held


def _needed(step: Step, stale: Sequence[Stale]) -> Step:
    """The step without the parts behind the last one that is stale."""
    tables = {it.table for it in stale}
    parts = [part for part in step.parts if not tables.isdisjoint(part.writes)]
    return step.through(parts[-1].name)
