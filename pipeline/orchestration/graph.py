"""What a graph of steps is made of, and what follows from it: predecessors, stages, cuts.

A step is declared with the tables that it reads and writes. It runs after the steps that write what
it reads; `after` names the few that it follows for another reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Part:
    """One computation, which a person can also run by itself.

    `program` is a file for spark-submit or a module for `python -m`. `reads` holds every published
    table, of the day or of days before. A part may read what an earlier part of its step has staged.

    What was published before is stale once one of these differs: `version`, to be raised with every change of the code
    that changes rows; the `settings` that rows depend on; the keys of source files in `sources`. The tables of a
    `record` say what was decided or served at the time, so they are never stale. An `every_day` part writes each day
    that landed, others the newest only.
    """

    name: str
    program: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    version: int = 1
    settings: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    record: bool = False
    every_day: bool = False


@dataclass(frozen=True)
class Step:
    """One process that computes its parts in order; one more releases the tables they staged.

    A `daily` step exists for every day of a range, the others for its last day only. The partition
    key is a day, or an hour (`--hour`). A `training` step runs only while no model is champion.
    """

    name: str
    program: str
    about: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    daily: bool = False
    training: bool = False
    key: str = "ds"
    parts: tuple[Part, ...] = ()
    command: str = ""  # of `python -m pipeline`, where a step is one of its commands
    until: str = ""  # the last part of a step that is cut short
    version: int = 1  # this and the next two: of the one part of a step without others
    settings: tuple[str, ...] = ()
    record: bool = False

    def __post_init__(self) -> None:
        """Tables of a step with parts are those of its parts, in their order."""
        if not self.parts:
            part = Part(
                self.name,
                self.program,
                self.reads,
                self.writes,
                version=self.version,
                settings=self.settings,
                record=self.record,
            )
            object.__setattr__(self, "parts", (part,))
        for kind in ("reads", "writes"):
            tables = [table for part in self.parts for table in getattr(part, kind)]
            object.__setattr__(self, kind, tuple(dict.fromkeys(tables)))

    @property
    def spark(self) -> bool:
        """Whether it is a file for spark-submit; else a module for `python -m`."""
        return self.program.endswith(".py")

    def through(self, part: str) -> "Step":
        """The step without the parts after `part`."""
        names = [one.name for one in self.parts]
        kept = self.parts[: names.index(part) + 1]
        return self if len(kept) == len(names) else replace(self, parts=kept, until=part)


def before(step: Step, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps among `steps` that `step` directly waits for, each of which is needed.

    A step is left out where another one waits for it anyway; unless that one is a training step,
    which most nights skip.
    """
    direct = _needed(step, steps)
    return tuple(
        one
        for one in direct
        if not any(
            one in _ancestors(other, steps) for other in direct if other is not one and _always(other, for_=step)
        )
    )


def stages(steps: Sequence[Step]) -> list[list[Step]]:
    """The steps in an order that the graph allows; those of one stage can run side by side."""
    level: dict[str, int] = {}
    for step in steps:  # declared after what it waits for
        level[step.name] = 1 + max((level[one.name] for one in _needed(step, steps)), default=-1)
    return [[step for step in steps if level[step.name] == n] for n in range(max(level.values(), default=-1) + 1)]


def through(steps: Sequence[Step], name: str) -> list[Step]:
    """The steps up to the step or the part called `name`. Raises KeyError when there is none."""
    kept: list[Step] = []
    for step in steps:
        names = [part.name for part in step.parts]
        if name == step.name:
            return [*kept, step]
        if name in names:
            return [*kept, step.through(name)]
        kept.append(step)
    raise KeyError(name)


def _needed(step: Step, steps: Sequence[Step]) -> list[Step]:
    return [one for one in steps if one.name != step.name and (one.name in step.after or _feeds(one, step))]


def _feeds(one: Step, other: Step) -> bool:
    return not set(one.writes).isdisjoint(other.reads)


def _ancestors(step: Step, steps: Sequence[Step]) -> set[Step]:
    direct = _needed(step, steps)
    return set(direct).union(*(_ancestors(one, steps) for one in direct))


def _always(step: Step, for_: Step) -> bool:
    """Whether `step` runs whenever `for_` does."""
    return for_.training or not step.training
