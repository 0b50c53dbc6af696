"""Run the steps over a range of days without Airflow.

Each step is one job over the whole range, then the release of its tables. Steps of one stage run
side by side. The first failure ends it all, with that process's own last line. Running it again is
safe: what is published does not change.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from pipeline.orchestration import step_commands
from pipeline.orchestration.graph import Part, Step, stages, through
from pipeline.orchestration.steps import NIGHT, SCORE
from pipeline.orchestration.warm import environment, warm_processes
from pipeline.runtime.errors import ModelError, OrchestrationError
from pipeline.runtime.processes import Processes, Usage, error_line
from pipeline.runtime.settings import Settings


@dataclass
class Load:
    """One range of days, under one run id. `report` is called for every process that ended well."""

    settings: Settings
    first: str
    last: str
    run: str
    report: Callable[[str, str, Usage], None]
    processes: Processes
    champion: str = ""  # version of the model that scores, once known
    model_version: str = ""  # the one that was asked for

    def run_stage(self, steps: Sequence[Step], *more: Callable[[], None]) -> None:
        """The steps side by side, with whatever else there is to do meanwhile."""
        self.processes.side_by_side([*(partial(self.run_step, step) for step in steps), *more])

    def run_step(self, step: Step) -> None:
        """The step's job, then the release of what it staged."""
        self.processes.side_by_side([partial(self._run, step, *job) for job in self._jobs(step)])
        if step.writes:
            self._run(step, "release", step_commands.release(step, self.run))

    def find_champion(self) -> None:
        """Asks which version is champion."""
        self.champion = champion(self.settings, self.last, self.model_version)

    def _run(self, step: Step, part: str, command: list[str]) -> None:
        log = self.settings.home / "logs" / self.run / f"{step.name}-{part}.log"
        self.report(step.name, part, self.processes.run(f"{step.name} {part}", command, log))

    def _jobs(self, step: Step) -> Iterator[tuple[str, list[str]]]:
        """Names and commands of a step's jobs: one, but for the buckets of users."""
        if step is not SCORE:
            yield "job", step_commands.job(step, self.settings, self.first, self.last, self.run)
            return
        if not self.champion:  # the one that was trained just now
            self.find_champion()
        if not self.champion:
            raise ModelError("score: expected a champion, found none; train and promote one first")
        for bucket in range(self.settings.score_buckets):
            command = step_commands.score_bucket(step, self.settings, self.last, self.run, bucket, self.champion)
            yield f"bucket-{bucket}", command


def load_range(
    settings: Settings,
    first: str,
    last: str,
    until: Step | Part = NIGHT[-1],
    report: Callable[[str, str, Usage], None] = lambda *_: None,
    model_version: str = "",
) -> str:
    """Runs the steps up to `until`, of its own step only the parts up to it; returns the run's id.

    Raises OrchestrationError. The champion of the last day is asked for once, while files are read;
    training is left out when there is one. `model_version` scores in its place.
    """
    run = f"range-{first}-{last}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}"
    steps = through(NIGHT, until.name)
    trains = any(step.training for step in steps)
    with warm_processes(settings) as processes:
        load = Load(settings, first, last, run, report, processes, model_version=model_version)
        load.run_stage(stages(steps)[0], *([load.find_champion] if trains else []))
        if load.champion:
            steps = [step for step in steps if not step.training]
        for stage in stages(steps)[1:]:
            load.run_stage(stage)
    return run


def run_steps(
    settings: Settings,
    steps: Sequence[Step],
    key: str,
    run: str,
    report: Callable[[str, str, Usage], None],
) -> None:
    """Runs steps of one partition key, one after the other. Raises OrchestrationError."""
    with warm_processes(settings) as processes:
        load = Load(settings, key, key, run, report, processes)
        for step in steps:
            load.run_step(step)


def champion(settings: Settings, ds: str, version: str = "") -> str:
    """Version of the model that scores the day, `version` if that is registered; empty when there is none."""
    command = step_commands.champion(ds, version)
    done = subprocess.run(command, env=environment(settings), capture_output=True, text=True)
    if done.returncode not in (0, step_commands.NO_CHAMPION):
        said = error_line(done.stderr.splitlines()).removeprefix("error: ")
        raise OrchestrationError(f"champion: {said}")
    return "" if done.returncode else done.stdout.split()[-1]
