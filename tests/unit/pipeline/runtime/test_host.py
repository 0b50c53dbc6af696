"""Programs run one after the other by a server: each as if it had been started by itself."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.runtime.errors import OrchestrationError
from pipeline.runtime.host import Host
from pipeline.runtime.processes import Processes

PREFIX = [sys.executable, "-m", "asked"]
PROGRAM = """
import atexit, os, sys, time
from pipeline.runtime import program
from pipeline.runtime.errors import TidemarkError, UsageError

kept = []

def main():
    kept.append(sys.argv[1])
    print("args", *sys.argv[1:], "kept", len(kept), "of", os.environ["OF"], "read", repr(sys.stdin.read()))
    atexit.register(print, "last words")
    match sys.argv[1]:
        case "usage": raise UsageError("days: none")
        case "fault": raise TidemarkError("shop: no file")
        case "bug": raise ValueError(os.environ["TIDEMARK_CATALOG_URI"])
        case "code": sys.exit(3)
        case "killed": os.kill(os.getpid(), 9)
        case "slow": time.sleep(600)
        case "big": kept.append(b"x" * (200 << 20))

program.run(main)
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Runs the module `asked`, in forks of a process that has imported what it imports."""
    (tmp_path / "asked.py").write_text(PROGRAM)
    server = Host(PREFIX, "pipeline.runtime.host", "asked", "pipeline.runtime.errors")
    yield server
    server.close()


@pytest.fixture
def processes(host: Host, tmp_path: Path) -> Processes:
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    own = {"OF": "it", "PYTHONPATH": path, "TIDEMARK_CATALOG_URI": "postgresql://tide:hidden@host/db"}
    return Processes({**os.environ, **own}, ways=[host.start])


def run(processes: Processes, tmp_path: Path, how: str) -> str:
    """What the program printed."""
    log = tmp_path / f"{how}.log"
    processes.run("asked", [*PREFIX, how], log)
    return log.read_text()


def test_each_program_is_a_process_of_its_own(host: Host, processes: Processes, tmp_path: Path) -> None:
    for how in ("one", "two"):
        assert run(processes, tmp_path, how).splitlines() == [f"args {how} kept 1 of it read ''", "last words"]
    small = processes.run("asked", [*PREFIX, "one"], tmp_path / "log").peak_mb
    big = processes.run("asked", [*PREFIX, "big"], tmp_path / "log").peak_mb
    assert big >= small + 190


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("usage", 2, "days: none"),
        ("fault", 1, "shop: no file"),
        ("code", 3, "last words"),
        ("bug", 1, r"ValueError: postgresql://\S*@host/db"),
        ("killed", -9, "args killed .*"),
    ],
)
def test_a_program_ends_as_if_it_were_alone_and_the_next_one_runs(
    how: str, code: int, said: str, processes: Processes, tmp_path: Path
) -> None:
    with pytest.raises(OrchestrationError, match=rf"^asked \(exit code {code}\): {said}; log: ") as caught:
        run(processes, tmp_path, how)
    assert "hidden" not in (tmp_path / f"{how}.log").read_text() + str(caught.value)
    again = Processes(processes.environment, processes.ways)
    assert "args next" in run(again, tmp_path, "next")


def test_a_host_runs_one_command_at_a_time_and_none_of_another_kind(
    host: Host, processes: Processes, tmp_path: Path
) -> None:
    def start(command: list[str], log: str) -> Host | None:
        return host.start(command, processes.environment, tmp_path / log)

    assert start([sys.executable, "-c", "pass"], "other") is None
    assert start([sys.executable, "-m", "another"], "other") is None
    assert start([*PREFIX, "slow"], "slow") is host
    assert start([*PREFIX, "one"], "one") is None
    host.end()
    assert host.wait() == (-15, 0)
    assert start([*PREFIX, "one"], "one") is host
    assert host.wait()[0] == 0


def test_who_ends_a_program_ends_all_of_it(host: Host, processes: Processes, tmp_path: Path) -> None:
    log = tmp_path / "slow"
    assert host.start([*PREFIX, "slow"], processes.environment, log)
    deadline = time.monotonic() + 60
    while "args" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert host._process is not None
    group = host._process.pid
    host.end()
    host.wait()
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("a process of the server's still runs")


def test_closing_twice_and_closing_what_never_began(host: Host, processes: Processes, tmp_path: Path) -> None:
    host.close()
    assert "args one" in run(processes, tmp_path, "one")
    host.close()
    host.close()
    assert "args two" in run(processes, tmp_path, "two")
