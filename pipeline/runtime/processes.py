"""Run programs to their end, measured; those that stand or fall together, side by side."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

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


@dataclass
class Processes:
    """Processes of one piece of work: `stop` ends those that run, and no other begins."""

    environment: dict[str, str]
    _running: set[int] = field(default_factory=set)
    _stopped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, title: str, command: list[str], log: Path) -> Usage:
        """Runs one to its end, its output in `log`. When it fails it stops the others.

        Raises OrchestrationError.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        with log.open("wb") as output:
            process = self._start(title, command, output)
            # Its own usage: getrusage would give the largest of all children.
            _, status, usage = os.wait4(process.pid, 0)
        self._running.discard(process.pid)
        code = process.returncode = os.waitstatus_to_exitcode(status)
        if code:
            failure = Stopped if self.stop() else OrchestrationError
            said = error_line(log.read_text(errors="replace").splitlines())
            said = said.removeprefix("error: ")
            if said == NO_OUTPUT and shutil.disk_usage(log.parent).free < ROOM:
                said = f"no output, and no space left on the device of {log.parent}: free some and run again"
            error = failure(f"{title} (exit code {code}): {said}; log: {log}")
            error.exit_code = code
            raise error
        return Usage(time.monotonic() - began, usage.ru_maxrss // 1024)

    def stop(self) -> bool:
        """Ends what runs; returns whether that had been done before."""
        with self._lock:
            before, self._stopped = self._stopped, True
            for pid in self._running:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
        return before

    def _start(self, title: str, command: list[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise Stopped(f"{title}: not begun, since another process failed")
            process = subprocess.Popen(command, env=self.environment, stdout=output, stderr=subprocess.STDOUT)
            self._running.add(process.pid)
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
