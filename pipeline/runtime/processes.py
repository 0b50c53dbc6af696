"""Run programs to their end, measured; those that stand or fall together, side by side."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipeline.runtime.errors import OrchestrationError

SIDE_BY_SIDE = 2  # a Spark job starts up for half of its time, on one core
# What to look for in the log of a failed process, the clearest first.
OUR_ERROR = re.compile(r"\berror: .+")
EXCEPTION = re.compile(r"^(Caused by: )?([\w.]+\.)?[A-Z]\w*(Error|Exception)\b.*")
NO_OUTPUT = "no output"
ROOM = 1 << 20  # bytes free, below which a program's last words may not have found room
ANYTHING = re.compile(r".*\S.*")


@dataclass(frozen=True)
class Usage:
    """What a process took. `peak_mb`: the largest resident set of it and its children."""

    seconds: float
    peak_mb: int


class Stopped(OrchestrationError):
    """A process that was ended, or did not begin, because of another one."""


class Running(Protocol):
    """A program that has been started."""

    def end(self) -> None:
        """Asks it to end."""

    def wait(self) -> tuple[int, int]:
        """Its exit code, negative for a signal, and its peak in MB, once it has ended."""


# Starts a command with its environment and log, unless it is of a kind that another way of starting is for.
Start = Callable[[list[str], Mapping[str, str], Path], Running | None]


class _Child:
    """A process of its own."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGTERM)

    def wait(self) -> tuple[int, int]:
        # Its own usage: getrusage would give the largest of all children.
        _, status, usage = os.wait4(self._process.pid, 0)
        code = self._process.returncode = os.waitstatus_to_exitcode(status)
        return code, usage.ru_maxrss // 1024


@dataclass
class Processes:
    """Processes of one piece of work: `stop` ends those that run, and no other begins.

    `ways` of starting a command are tried in order; what none of them is for becomes a process of its own.
    """

    environment: dict[str, str]
    ways: Sequence[Start] = ()
    _running: list[Running] = field(default_factory=list)
    _stopped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, title: str, command: list[str], log: Path) -> Usage:
        """Runs one to its end, its output in `log`. When it fails it stops the others.

        Raises OrchestrationError.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        process = self._start(title, command, log)
        code, peak_mb = process.wait()
        self._running.remove(process)
        if code:
            failure = Stopped if self.stop() else OrchestrationError
            said = error_line(log.read_text(errors="replace").splitlines())
            said = said.removeprefix("error: ")
            if said == NO_OUTPUT and shutil.disk_usage(log.parent).free < ROOM:
                said = f"no output, and no space left on the device of {log.parent}: free some and run again"
            error = failure(f"{title} (exit code {code}): {said}; log: {log}")
            error.exit_code = code
            raise error
        return Usage(time.monotonic() - began, peak_mb)

    def stop(self) -> bool:
        """Ends what runs; returns whether that had been done before."""
        with self._lock:
            before, self._stopped = self._stopped, True
            for process in self._running:
                process.end()
        return before

    def _start(self, title: str, command: list[str], log: Path) -> Running:
        with self._lock:
            if self._stopped:
                raise Stopped(f"{title}: not begun, since another process failed")
            ways = (way(command, self.environment, log) for way in self.ways)
            process = next((it for it in ways if it), None) or _Child(command, self.environment, log)
            self._running.append(process)
        return process

    def side_by_side(self, branches: Sequence[Callable[[], None]]) -> None:
        """Runs the branches, a few at a time. The first failure stops the others and is raised."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            begun = [pool.submit(branch) for branch in branches]
            try:
                for branch in as_completed(begun):
                    with suppress(Stopped):
                        branch.result()
            except BaseException:
                self.stop()
                raise


def error_line(lines: list[str]) -> str:
    """The line of a log that says what went wrong: `error: …`, else an exception, else the last.

    A Spark job's log goes on after its error.
    """
    for pattern in (OUR_ERROR, EXCEPTION, ANYTHING):
        found = [match.group() for line in lines if (match := pattern.search(line))]
        if found:
            return found[-1].strip()
    return NO_OUTPUT
