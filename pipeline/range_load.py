"""Run the steps over a range of days without Airflow: one process after the other.

Each step is one job over the whole range, then audit, then publish; it stops at the first failure,
with that process's own last line. Running it again is safe: what is published does not change.
"""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline import step_commands
from pipeline.errors import ModelError, OrchestrationError
from pipeline.settings import Settings
from pipeline.steps import SCORE, STEPS, TRAINING_STEPS, Step

# What to look for in the log of a failed process, the clearest first.
OUR_ERROR = re.compile(r"\berror: .+")
EXCEPTION = re.compile(r"^(Caused by: )?([\w.]+\.)?[A-Z]\w*(Error|Exception)\b.*")
ANYTHING = re.compile(r".*\S.*")


@dataclass(frozen=True)
class Finished:
    """One process that ended well. `peak_mb`: the largest resident set of it and its children."""

    step: str
    part: str
    seconds: float
    peak_mb: int


def load_range(
    settings: Settings,
    first: str,
    last: str,
    until: Step = SCORE,
    report: Callable[[Finished], None] = lambda _: None,
) -> str:
    """Runs the steps up to `until`; returns the run's id. Raises OrchestrationError."""
    run = f"range-{first}-{last}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}"
    logs = settings.home / "logs" / run
    for step in STEPS[: STEPS.index(until) + 1]:
        if step in TRAINING_STEPS and champion(settings):
            continue
        for part, command in _parts(settings, step, first, last, run):
            report(_execute(settings, step.name, part, command, logs / f"{step.name}-{part}.log"))
    return run


def champion(settings: Settings) -> str:
    """Version of the model that scores; empty when there is none."""
    done = subprocess.run(
        step_commands.champion(), env=_environment(settings), capture_output=True, text=True
    )
    if done.returncode not in (0, step_commands.NO_CHAMPION):
        raise OrchestrationError(f"champion: {_last(done.stderr.splitlines())}")
    return "" if done.returncode else done.stdout.split()[-1]


def error_line(lines: list[str]) -> str:
    """The line of a log that says what went wrong: `error: …`, else an exception, else the last.

    A Spark job's log goes on after its error.
    """
    for pattern in (OUR_ERROR, EXCEPTION, ANYTHING):
        found = [match.group() for line in lines if (match := pattern.search(line))]
        if found:
            return found[-1].strip()
    return "no output"


def _last(lines: list[str]) -> str:
    return error_line(lines).removeprefix("error: ")


def _parts(
    settings: Settings, step: Step, first: str, last: str, run: str
) -> Iterator[tuple[str, list[str]]]:
    if step is SCORE:
        version = champion(settings)
        if not version:
            raise ModelError("score: expected a champion, found none; train and promote one first")
        for bucket in range(settings.score_buckets):
            command = step_commands.score_bucket(step, settings, last, run, bucket, version)
            yield f"bucket-{bucket}", command
    else:
        yield "job", step_commands.job(step, settings, first, last, run)
    if step.tables:
        yield "audit", step_commands.audit(step, run)
        yield "publish", step_commands.publish(step, run)


def _execute(settings: Settings, step: str, part: str, command: list[str], log: Path) -> Finished:
    """Runs one process to its end, its output in `log`; its own usage comes from wait4."""
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=_environment(settings), stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    code = process.returncode = os.waitstatus_to_exitcode(status)
    if code:
        text = log.read_text(errors="replace").splitlines()
        raise OrchestrationError(f"{step} {part} (exit code {code}): {_last(text)}; log: {log}")
    return Finished(step, part, time.monotonic() - started, usage.ru_maxrss // 1024)


def _environment(settings: Settings) -> dict[str, str]:
    return {**os.environ, **step_commands.environment(settings)}
