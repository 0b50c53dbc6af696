"""A Redis server of the test's own: temporary folder, free port, ended by its fixture."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.postgres import free_port

SECONDS = 10


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """URI of an empty server. Skips where Redis is not installed."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis is not installed (Debian: redis-server)")
    port = free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
    server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        _wait(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def _wait(port: int) -> None:
    limit = time.monotonic() + SECONDS
    client = redis.Redis(port=port)
    while True:
        try:
            client.ping()
            return
        except redis.ConnectionError:
            assert time.monotonic() < limit, "redis-server did not come up"
            time.sleep(0.05)
