"""What readers see while nights are switched, and what a loader that is killed leaves."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from pipeline.features.online import open_backend, open_store, redis_backend
from pipeline.features.online.load import load_night, roll_back
from pipeline.runtime.errors import OnlineError
from pipeline.runtime.settings import Settings
from tests.unit.pipeline.features.online.feature_nights import publish_features, user

ONE, TWO, THREE = "2024-03-05", "2024-03-06", "2024-03-07"
USERS = 40
# Writes 20 rows of a night, says so, and waits to be killed.
STUCK = """
import sys, time
from pathlib import Path
from pipeline.features.online import load, open_backend, redis_backend
from pipeline.runtime.settings import load_settings

redis_backend.LOCK_SECONDS, redis_backend.BATCH = 1, 5
settings, rows = load_settings(), load.encoded

def stuck(*arguments):
    for number, row in enumerate(rows(*arguments)):
        if number == 20:
            Path(sys.argv[2]).touch()
            time.sleep(600)
        yield row

load.encoded = stuck
load.load_night(settings, open_backend(settings), sys.argv[1])
"""


def test_no_read_mixes_two_nights(online: Settings) -> None:
    """Readers ask for all users at once, again and again, while the pointer moves 12 times."""
    for ds in (ONE, TWO, THREE):
        publish_features(online, ds, USERS)
    load_night(online, open_backend(online), ONE)
    over = Event()

    def read_on() -> list[tuple[int, frozenset[object]]]:
        store, seen = open_store(online), []
        while not over.is_set():
            rows = store.get([user(number) for number in range(USERS)])
            seen.append((sum(row is not None for row in rows), frozenset(r["ds"] for r in rows)))
        return seen

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read_on) for _ in range(3)]
        backend = open_backend(online)
        try:
            for _ in range(4):
                load_night(online, backend, TWO, force=True)
                roll_back(backend)
                load_night(online, backend, THREE, force=True)
        finally:
            over.set()
        seen = {found for reader in readers for found in reader.result()}
    assert {count for count, _ in seen} == {USERS}
    assert {len(days) for _, days in seen} == {1}
    assert (USERS, frozenset([THREE])) in seen


def test_a_killed_loader_leaves_the_night_and_no_rest(
    online: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_features(online, ONE, USERS)
    publish_features(online, TWO, USERS)
    load_night(online, open_backend(online), ONE)
    _kill_in_the_middle(online, TWO, tmp_path / "began")
    assert open_store(online).get([user(1)])[0]["ds"] == ONE
    _load_when_free(online, TWO)
    backend = open_backend(online)
    assert backend.versions() == backend.nights().versions
    assert open_store(online).get([user(USERS - 1)])[0]["ds"] == TWO


def test_a_writer_that_lost_its_lock_does_not_point(
    home: Settings, redis_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stood still for longer than the lock lasts, and another one took over."""
    settings = home.model_copy(update={"online_uri": redis_uri})
    monkeypatch.setattr(redis_backend, "LOCK_SECONDS", 0.2)
    slow = open_backend(settings)
    with slow.writing():
        time.sleep(0.3)
        with open_backend(settings).writing(), pytest.raises(OnlineError, match="lost its lock"):
            slow.point(slow.nights())


def _kill_in_the_middle(settings: Settings, ds: str, began: Path) -> None:
    environment = {**os.environ, "TIDEMARK_ONLINE_URI": settings.online_uri}
    loader = subprocess.Popen([sys.executable, "-c", STUCK, ds, str(began)], env=environment)
    while not began.exists():
        assert loader.poll() is None
        time.sleep(0.05)
    loader.send_signal(signal.SIGKILL)
    loader.wait()


def _load_when_free(settings: Settings, ds: str) -> None:
    """Redis lets go of a dead writer's lock after a while; a task would be tried again."""
    for _ in range(100):
        try:
            load_night(settings, open_backend(settings), ds)
            return
        except OnlineError:
            time.sleep(0.1)
    load_night(settings, open_backend(settings), ds)
