"""Run the steps over a range of days without Airflow.

Each step is one job over the whole range, then audit, then publish. Steps that do not read one
another's tables run side by side. The first failure ends it all, with that process's own last line.
Running it again is safe: what is published does not change.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from pipeline.orchestration import step_commands
from pipeline.orchestration.steps import SCORE, STAGES, STEPS, TRAINING_STEPS, Step
from pipeline.runtime.errors import ModelError, OrchestrationError
from pipeline.runtime.processes import Processes, Usage, error_line
from pipeline.runtime.settings import Settings


@dataclass(frozen=True)
class Load:
    """One range of days, under one run id. `report` is told of every process that ended well."""

    settings: Settings
    first: str
    last: str
    run: str
    report: Callable[[str, str, Usage], None]
    processes: Processes

    def run_branch(self, steps: Sequence[Step]) -> None:
        """The steps, one after the other."""
        for step in steps:
            jobs = [partial(self._run, step, *job) for job in self._jobs(step)]
            self.processes.side_by_side(jobs)
            if step.tables:
                self._run(step, "audit", step_commands.audit(step, self.run))
                self._run(step, "publish", step_commands.publish(step, self.run))

    def _run(self, step: Step, part: str, command: list[str]) -> None:
        log = self.settings.home / "logs" / self.run / f"{step.name}-{part}.log"
        self.report(step.name, part, self.processes.run(f"{step.name} {part}", command, log))

    def _jobs(self, step: Step) -> Iterator[tuple[str, list[str]]]:
        """Names and commands of a step's jobs: one, but for the buckets of users."""
        if step is not SCORE:
            yield "job", step_commands.job(step, self.settings, self.first, self.last, self.run)
            return
        version = champion(self.settings)
        if not version:
            raise ModelError("score: expected a champion, found none; train and promote one first")
        for bucket in range(self.settings.score_buckets):
            command = step_commands.score_bucket(step, self.settings, self.last, self.run, bucket, version)
            yield f"bucket-{bucket}", command


def load_range(
    settings: Settings,
    first: str,
    last: str,
    until: Step = STEPS[-1],
    report: Callable[[str, str, Usage], None] = lambda *_: None,
) -> str:
    """Runs the steps up to `until`; returns the run's id. Raises OrchestrationError."""
    run = f"range-{first}-{last}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}"
    processes = Processes(_environment(settings))
    load = Load(settings, first, last, run, report, processes)
    wanted = set(STEPS[: STEPS.index(until) + 1])
    if wanted & set(TRAINING_STEPS) and champion(settings):
        wanted -= set(TRAINING_STEPS)
    for stage in STAGES:
        branches = [[step for step in branch if step in wanted] for branch in stage]
        processes.side_by_side([partial(load.run_branch, branch) for branch in branches if branch])
    return run


def run_steps(
    settings: Settings,
    steps: Sequence[Step],
    key: str,
    run: str,
    report: Callable[[str, str, Usage], None],
) -> None:
    """Runs steps of one partition key, one after the other. Raises OrchestrationError."""
    processes = Processes(_environment(settings))
    Load(settings, key, key, run, report, processes).run_branch(steps)


def champion(settings: Settings) -> str:
    """Version of the model that scores; empty when there is none."""
    done = subprocess.run(step_commands.champion(), env=_environment(settings), capture_output=True, text=True)
    if done.returncode not in (0, step_commands.NO_CHAMPION):
        said = error_line(done.stderr.splitlines()).removeprefix("error: ")
        raise OrchestrationError(f"champion: {said}")
    return "" if done.returncode else done.stdout.split()[-1]


def _environment(settings: Settings) -> dict[str, str]:
    return {**os.environ, **step_commands.environment(settings)}
