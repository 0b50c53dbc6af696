"""Run a program as the night runs it, and measure what it takes."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

PROJECT = Path(__file__).resolve().parents[2]
LOOK_EVERY = 0.2  # seconds
LINES_SHOWN = 20  # of a program that failed


@dataclass(frozen=True)
class Usage:
    """What a program and all that it started took.

    `largest_gib` is the peak of its largest process, `together_gib` that of all at the same moment: what forks share
    counts once.
    """

    seconds: float
    cpu_seconds: float
    largest_gib: float
    together_gib: float = 0.0
    output: str = ""

    def __str__(self) -> str:
        return f"{self.seconds:6.1f} s {self.cpu_seconds:6.1f} s of CPU, peak {self.largest_gib:.2f} GiB"


def again(name: str, *arguments: object) -> list[str]:
    """The command that runs a bench in a process of its own, so that its peak memory is its own."""
    return [sys.executable, "-m", "tests.bench", name, *map(str, arguments)]


def measured(command: Sequence[str], environment: dict[str, str] | None = None) -> Usage:
    """Runs a program to its end. Exact, but blind to children that the program did not wait for."""
    with tempfile.TemporaryFile("w+") as output:
        began = time.monotonic()
        process = _start(command, environment, output)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said = _checked(process, command, output)
        seconds = time.monotonic() - began
    return Usage(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20, output=said)


def measured_family(command: Sequence[str], environment: dict[str, str] | None = None) -> Usage:
    """Runs a program to its end, and looks at all its processes five times a second: for Spark jobs."""
    with tempfile.TemporaryFile("w+") as output:
        began = time.monotonic()
        process = _start(command, environment, output)
        parent, cpu, largest, together = psutil.Process(process.pid), {}, 0.0, 0.0
        while process.poll() is None:
            resident = 0.0
            for member in _family(parent):
                with suppress(psutil.Error):
                    cpu[member.pid] = sum(member.cpu_times()[:2])
                    memory = member.memory_full_info()
                    largest, resident = max(largest, memory.rss / 2**30), resident + memory.pss / 2**30
            together = max(together, resident)
            time.sleep(LOOK_EVERY)
        said = _checked(process, command, output)
        seconds = time.monotonic() - began
    return Usage(seconds, sum(cpu.values()), largest, together, said)


def _start(command: Sequence[str], environment: dict[str, str] | None, output: IO[str]) -> subprocess.Popen[bytes]:
    settings = os.environ | (environment or {})
    return subprocess.Popen(command, cwd=PROJECT, env=settings, stdout=output, stderr=subprocess.STDOUT)


def _family(parent: psutil.Process) -> list[psutil.Process]:
    try:
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _checked(process: subprocess.Popen[bytes], command: Sequence[str], output: IO[str]) -> str:
    """What the program printed. Ends the bench when it failed."""
    output.seek(0)
    said = output.read()
    if process.returncode:
        tail = "\n".join(said.splitlines()[-LINES_SHOWN:])
        sys.exit(f"{tail}\nerror: {' '.join(command)} ended with exit code {process.returncode}")
    return said
