"""Servers that we start and stop ourselves: a pid file each, so that `down` ends what `up` began.

A pid alone may belong to somebody else after a crash or a reboot, so the pid file also holds which start of the machine
it was, and how long after that the process began: setting the clock changes neither. Each server leads a session of its
own; ending it ends the whole session.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from pipeline.runtime.errors import OrchestrationError

SUFFIX = ".pid.json"
BOOT = Path("/proc/sys/kernel/random/boot_id")
PATIENCE = 15.0  # seconds between asking and killing


@dataclass(frozen=True)
class Server:
    """A program that serves, and the loopback port on which it does (None: it has no port)."""

    name: str
    command: list[str]
    environment: dict[str, str]
    port: int | None = None
    port_setting: str = ""


@dataclass(frozen=True)
class Started:
    """What a pid file holds. `created`: seconds from the machine's start `boot` until the process began."""

    name: str
    pid: int
    created: float
    log: str
    boot: str = ""


def start(folder: Path, server: Server) -> Started:
    """Starts the server, its output in `folder/<name>.log`, unless it runs already."""
    running = find(folder, server.name)
    if running:
        return running
    require_free_port(server)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{server.name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            server.command,
            env=server.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    created = _created(psutil.Process(process.pid))
    started = Started(server.name, process.pid, created, str(log), BOOT.read_text())
    _pid_file(folder, server.name).write_text(json.dumps(asdict(started)))
    return started


def find(folder: Path, name: str) -> Started | None:
    """The server if it runs; a zombie does not run."""
    started = _read(_pid_file(folder, name))
    leader = _leader(started) if started else None
    return started if leader and leader.status() != psutil.STATUS_ZOMBIE else None


def require_free_port(server: Server) -> None:
    """Raises OrchestrationError when something listens on the server's port."""
    if server.port is None:
        return
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", server.port)) == 0:
            raise OrchestrationError(
                f"{server.name}: port {server.port} is occupied by another program; stop it or "
                f"set {server.port_setting} to a free port"
            )


def stop_all(folder: Path) -> list[str]:
    """Ends every server of the folder, also what a crash left of it; returns their names."""
    return stop(folder, [file.name.removesuffix(SUFFIX) for file in folder.glob(f"*{SUFFIX}")])


def stop(folder: Path, names: list[str]) -> list[str]:
    """Ends the servers of these names; returns those that had been started."""
    files = [_pid_file(folder, name) for name in sorted(names)]
    records = [started for file in files if (started := _read(file))]
    members = [process for started in records for process in _session(started)]
    _end(members)
    for file in files:
        file.unlink(missing_ok=True)
    return [started.name for started in records]


def wait_until(ready: Callable[[], bool], folder: Path, names: list[str], seconds: float) -> None:
    """Polls until ready. Raises OrchestrationError when a server dies or time is up."""
    deadline = time.monotonic() + seconds
    while not ready():
        for name in names:
            if not find(folder, name):
                raise OrchestrationError(f"{name}: ended while starting; log: {folder}/{name}.log")
        if time.monotonic() > deadline:
            raise OrchestrationError(f"{', '.join(names)}: not ready after {seconds:.0f} s; logs: {folder}")
        time.sleep(0.5)


def _end(processes: list[psutil.Process]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue
        _, processes = psutil.wait_procs(processes, timeout=PATIENCE)


def _session(started: Started) -> Iterator[psutil.Process]:
    """The processes of the server's session and all that they started.

    While any member lives the kernel gives the session's number to nobody else; once the number
    is somebody else's process, the session is over.
    """
    if psutil.pid_exists(started.pid) and not _leader(started):
        return
    seen = set()
    for process in psutil.process_iter():
        if _session_of(process) != started.pid:
            continue
        for member in [process, *_children(process)]:
            if member.pid not in seen and member.pid != os.getpid():
                seen.add(member.pid)
                yield member


def _session_of(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except (ProcessLookupError, PermissionError):
        return None


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _leader(started: Started) -> psutil.Process | None:
    try:
        process = psutil.Process(started.pid)
        same = started.boot == BOOT.read_text() and abs(_created(process) - started.created) < 0.5
    except psutil.NoSuchProcess:
        return None
    return process if same else None


def _created(process: psutil.Process) -> float:
    """Seconds since the machine started. Both times follow the clock, so a clock that is set moves both."""
    return process.create_time() - psutil.boot_time()


def _read(file: Path) -> Started | None:
    return Started(**json.loads(file.read_text())) if file.exists() else None


def _pid_file(folder: Path, name: str) -> Path:
    return folder / f"{name}{SUFFIX}"
