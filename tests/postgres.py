"""A Postgres server of the test's own: temporary folder, free port, ended by its fixture."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres_server(folder: Path, over_tcp: str = "trust") -> Iterator[str]:
    """SQLAlchemy URI of an empty database. Skips where Postgres is not installed.

    `over_tcp`: how connections by TCP prove who they are; those by the socket in `folder` are trusted.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if os.name == "posix" else []
    if not found:
        pytest.skip("postgres is not installed (Debian: postgresql)")
    programs, data, port = found[-1], folder / "data", free_port()
    _as_owner(folder, [programs / "initdb", "-D", data, "-U", "tidemark", "-A", "trust", f"--auth-host={over_tcp}"])
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    start = [programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"]
    _as_owner(folder, start)
    try:
        yield f"postgresql+psycopg2://tidemark@127.0.0.1:{port}/postgres"
    finally:
        _as_owner(folder, [programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"])


def _as_owner(folder: Path, command: list) -> None:
    """Postgres refuses to run as root, so root runs it as the user that Debian made for it."""
    words = [str(word) for word in command]
    if os.geteuid() == 0:
        shutil.chown(folder, pwd.getpwnam("postgres").pw_uid)
        words = ["runuser", "-u", "postgres", "--", *words]
    done = subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr
