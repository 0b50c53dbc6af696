"""Servers: started once, found again, ended with everything that they started."""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.airflow import servers
from pipeline.airflow.servers import Server
from pipeline.runtime.errors import OrchestrationError

# A server with a child in a session of its own, as a task's program is under Airflow.
PARENT = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                         start_new_session=True)
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    servers.stop_all(tmp_path)


def sleeper(folder: Path, port: int | None = None) -> Server:
    command = [sys.executable, "-c", PARENT, str(folder / "child")]
    return Server("sleeper", command, dict(os.environ), port, "TIDEMARK_AIRFLOW_PORT")


def child_of(folder: Path) -> psutil.Process:
    while not (folder / "child").exists() or not (folder / "child").read_text():
        time.sleep(0.02)
    return psutil.Process(int((folder / "child").read_text()))


def test_it_starts_once_and_is_found(folder: Path) -> None:
    first = servers.start(folder, sleeper(folder))
    assert servers.start(folder, sleeper(folder)) == first
    assert servers.find(folder, "sleeper") == first
    assert servers.find(folder, "another") is None


def test_stopping_ends_the_children_too(folder: Path) -> None:
    started = servers.start(folder, sleeper(folder))
    child = child_of(folder)
    assert servers.stop_all(folder) == ["sleeper"]
    assert not psutil.pid_exists(started.pid) and not child.is_running()
    assert servers.find(folder, "sleeper") is None
    assert servers.stop_all(folder) == []


def test_only_the_named_servers_are_stopped(folder: Path) -> None:
    servers.start(folder, sleeper(folder))
    assert servers.stop(folder, ["another"]) == []
    assert servers.find(folder, "sleeper")


def test_a_crashed_server_is_not_found(folder: Path) -> None:
    started = servers.start(folder, sleeper(folder))
    os.kill(started.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(started.pid)], timeout=5)
    assert servers.find(folder, "sleeper") is None


def test_another_program_with_the_same_pid_is_left_alone(folder: Path) -> None:
    started = servers.start(folder, sleeper(folder))
    file = folder / "sleeper.pid.json"
    kept = file.read_text()
    file.write_text(json.dumps({**json.loads(kept), "created": started.created - 100}))
    assert servers.find(folder, "sleeper") is None
    servers.stop_all(folder)
    assert psutil.pid_exists(started.pid)
    file.write_text(kept)


def test_setting_the_clock_loses_no_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Process times follow the clock: six seconds once ended a night whose servers were well."""
    started = servers.start(folder, sleeper(folder))
    now = psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: now + 6)
    assert servers.find(folder, "sleeper") == started
    assert servers.stop(folder, ["sleeper"]) == ["sleeper"]
    assert not psutil.pid_exists(started.pid)


def test_a_process_of_another_start_of_the_machine_is_left_alone(folder: Path) -> None:
    servers.start(folder, sleeper(folder))
    file = folder / "sleeper.pid.json"
    kept = file.read_text()
    file.write_text(json.dumps({**json.loads(kept), "boot": "another"}))
    assert servers.find(folder, "sleeper") is None
    file.write_text(kept)


def test_an_occupied_port_is_one_clear_line(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        port = occupant.getsockname()[1]
        with pytest.raises(OrchestrationError) as caught:
            servers.start(folder, sleeper(folder, port))
    assert str(caught.value) == (
        f"sleeper: port {port} is occupied by another program; stop it or set TIDEMARK_AIRFLOW_PORT to a free port"
    )


def test_a_server_that_dies_while_starting_is_named(folder: Path) -> None:
    servers.start(folder, Server("short", [sys.executable, "-c", ""], dict(os.environ)))
    with pytest.raises(OrchestrationError, match=r"short: ended while starting; log: .*short\.log"):
        servers.wait_until(lambda: False, folder, ["short"], 20)
