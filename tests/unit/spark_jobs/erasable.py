"""A home in which one person is everywhere, through the jobs where they are, else staged."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.features.online import open_backend
from pipeline.features.online.load import load_night
from pipeline.runtime.settings import Settings
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage import staging
from pipeline.tables.columns import id_columns
from pipeline.tables.registry import table_named
from tests.unit.pipeline.staged_factory import SOUND, arrow, write
from tests.unit.spark_jobs.landed_shop import HEADER, land, open_shop, run_clean, run_ingest
from tests.unit.spark_jobs.published_rows import publish_rows

ONE, TWO = "2011-03-01", "2011-03-02"
ANNA, BOB = "anna-4711", "bob-0815"
TYPED = "blue mug with a crack"
TABLES = (
    "sessions",
    "user_history",
    "user_signals",
    "training_examples",
    "user_features",
    "user_history_intraday",
    "user_features_intraday",
)


def line(who: str, what: str, item: str, time: str, price: str = "") -> str:
    return f"{who},{what},{item},{time},{price}\n"


def land_days(home: Settings) -> None:
    """Anna: two events, the duplicate of one, and a rejected row. Bob: three events."""
    first = [
        line(ANNA, "view", "mug", f"{ONE} 10:00:00"),
        line(BOB, "view", "mug", f"{ONE} 10:00:30"),
        line(ANNA, "view", "mug", f"{ONE} 10:00:00"),
        line(ANNA, "purchase", "mug", f"{ONE} 11:00:00", "-1"),
        line(BOB, "purchase", "mug", f"{ONE} 12:00:00", "3"),
    ]
    second = [
        line(BOB, "view", "pot", f"{TWO} 09:00:00"),
        line(ANNA, "view", "pot", f"{TWO} 09:01:00"),
    ]
    land(home, f"shop/{ONE}.csv.gz", HEADER + "".join(first))
    land(home, f"shop/{TWO}.csv", HEADER + "".join(second))


def user(home: Settings, raw: str) -> str:
    return pseudonym(load_user_key(home.home), f"shop:{raw}")


@pytest.fixture
def lived_in(home: Settings, spark: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Two days published (the first of them twice), served online, logged and reported."""
    open_shop(home)
    land_days(home)
    run_ingest(monkeypatch, ONE, TWO)
    run_clean(monkeypatch, ONE, TWO)
    run_clean(monkeypatch, ONE, ONE)
    for name in TABLES:
        for ds in (ONE, TWO):
            (who,) = id_columns(table_named(name))
            rows = [{**SOUND[name], "ds": ds, who: user(home, it)} for it in (ANNA, BOB)]
            publish_rows(home, table_named(name), rows, [ds])
    for ds in (ONE, TWO):
        load_night(home, open_backend(home), ds)
    leave_traces(home)
    yield home


def leave_traces(home: Settings) -> None:
    """An attempt that was never published, a log, a page, and the vector of a typed text."""
    anna = user(home, ANNA)
    attempt = staging.begin(home, "user_history", "died")
    row = {**SOUND["user_history"], "ds": TWO, "user_id": anna}
    write(attempt.day(TWO) / "half.parquet", arrow("user_history", [row]))
    for name in ("logs/night/score.log", "reports/night.html"):
        path = home.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"user {anna} (shop:{ANNA}), user {user(home, BOB)} (shop:{BOB})\n")
    keep_text(home, TYPED)


def keep_text(home: Settings, text: str) -> None:
    (home.home / "encoders").mkdir()
    with closing(sqlite3.connect(home.home / "encoders" / "texts.db")) as database, database:
        database.execute("CREATE TABLE vectors (encoder TEXT, hash TEXT, vector BLOB)")
        for kept in (text, "pot"):
            row = ("tiny", hashlib.sha256(kept.encode()).hexdigest()[:32], b"vector")
            database.execute("INSERT INTO vectors VALUES (?, ?, ?)", row)


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
