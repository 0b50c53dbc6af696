"""Rows written into a night that serves, on SQLite, Redis and Postgres."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.features.online import open_backend, open_store, redis_backend
from pipeline.features.online.backend import Rows
from pipeline.features.online.load import load_night
from pipeline.features.online.row_codec import encode, value_schema
from pipeline.runtime.errors import OnlineError
from pipeline.runtime.settings import Settings
from tests.unit.pipeline.features.online.feature_nights import FEATURES, features, publish_features, user

ONE, TWO = "2024-03-05", "2024-03-06"
USERS = 40
# Writes 20 rows into the night that serves, says so, and waits to be killed.
STUCK = """
import sys, time
from pathlib import Path
from pipeline.features.online import open_backend, redis_backend, sqlite_backend
from pipeline.runtime.settings import load_settings

redis_backend.LOCK_SECONDS, redis_backend.BATCH, sqlite_backend.PATCHED = 1, 5, 5
def stuck():
    for number in range(20):
        yield f"{number:032x}", b"half"
    Path(sys.argv[1]).touch()
    time.sleep(600)

backend = open_backend(load_settings())
with backend.writing():
    backend.upsert(backend.nights().current.version, stuck())
"""
# Dies in the middle of a transaction of SQLite, part of which is in the file already.
DYING = """
import os, signal, sqlite3, sys
night = sqlite3.connect(sys.argv[1])
night.execute("PRAGMA cache_size = 1")
night.execute("UPDATE features SET value = randomblob(20000)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def encoded(ds: str, numbers: list[int], **changes: object) -> Rows:
    rows = [features(ds, number, **changes) for number in numbers]
    table = pa.Table.from_pylist(rows, schema=FEATURES.schema)
    return encode(table.to_batches()[0], value_schema(FEATURES.schema))


def serve(settings: Settings, ds: str = ONE) -> str:
    publish_features(settings, ds, USERS)
    load_night(settings, open_backend(settings), ds)
    return open_backend(settings).nights().current.version


def upsert(settings: Settings, version: str, rows: Rows) -> int:
    backend = open_backend(settings)
    with backend.writing():
        backend.upsert(version, rows)
        return backend.count(version)


def test_new_users_are_added_and_others_replaced(online: Settings, monkeypatch) -> None:
    """Also more rows than one batch; an open reader sees them; the others stay as they were."""
    monkeypatch.setattr("pipeline.features.online.sqlite_backend.PATCHED", 2)
    monkeypatch.setattr(redis_backend, "BATCH", 2)
    version, store = serve(online), open_store(online)
    assert store.get([user(3)])[0]["ds"] == ONE
    changed = encoded(TWO, [1, 3, USERS, USERS + 1, 5], p_churn_7d=0.75)
    assert upsert(online, version, changed) == USERS + 2
    found = store.get([user(number) for number in (0, 1, 3, 5, USERS, USERS + 1, USERS + 2)])
    assert [row and (row["ds"], row["recency_days"]) for row in found] == [
        (ONE, 0),
        (TWO, 1),
        (TWO, 3),
        (TWO, 5),
        (TWO, USERS),
        (TWO, USERS + 1),
        None,
    ]
    assert found[1]["p_churn_7d"] == 0.75
    assert upsert(online, version, iter([])) == USERS + 2


def test_the_night_before_stays_as_it_was(online: Settings) -> None:
    first = serve(online, ONE)
    second = serve(online, TWO)
    upsert(online, second, encoded("2024-03-07", [1, USERS]))
    backend = open_backend(online)
    assert (backend.count(first), backend.count(second)) == (USERS, USERS + 1)


def test_a_killed_writer_leaves_whole_rows_and_the_next_one_goes_on(online: Settings, tmp_path: Path) -> None:
    """A reader finds each row old or new; what was cut off is written by the next one."""
    version, began = serve(online), tmp_path / "began"
    environment = {**os.environ, "TIDEMARK_ONLINE_URI": online.online_uri}
    writer = subprocess.Popen([sys.executable, "-c", STUCK, str(began)], env=environment)
    while not began.exists():
        assert writer.poll() is None
        time.sleep(0.05)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    store = open_store(online)
    assert store.get([user(USERS - 1)])[0]["ds"] == ONE
    _when_free(online, version, list(range(25)))
    rows = store.get([user(number) for number in range(USERS)])
    assert [row["ds"] for row in rows] == [TWO] * 25 + [ONE] * 15


def test_a_reader_undoes_what_a_killed_transaction_of_sqlite_left(home: Settings) -> None:
    version = serve(home)
    file = home.home / "online" / f"features-{version}.db"
    subprocess.run([sys.executable, "-c", DYING, str(file)])
    assert file.with_name(f"{file.name}-journal").stat().st_size > 0
    assert open_store(home).get([user(7)])[0]["recency_days"] == 7


def test_a_writer_that_lost_its_lock_writes_no_more(
    home: Settings, redis_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = home.model_copy(update={"online_uri": redis_uri})
    version = serve(settings)
    monkeypatch.setattr(redis_backend, "LOCK_SECONDS", 0.2)
    slow = open_backend(settings)
    with slow.writing():
        time.sleep(0.3)
        with open_backend(settings).writing(), pytest.raises(OnlineError, match="lost its lock"):
            slow.upsert(version, encoded(TWO, [1]))
    assert open_store(settings).get([user(1)])[0]["ds"] == ONE


def _when_free(settings: Settings, version: str, numbers: list[int]) -> None:
    """Redis lets go of a dead writer's lock after a while."""
    for _ in range(100):
        try:
            upsert(settings, version, encoded(TWO, numbers))
            return
        except OnlineError:
            time.sleep(0.1)
    upsert(settings, version, encoded(TWO, numbers))
