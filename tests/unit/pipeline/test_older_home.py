"""A home that the version before wrote opens and works; what is in it: tests/cases/homes/why.md."""

import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

import pipeline
from pipeline.home import Home
from pipeline.storage.reading import as_declared
from pipeline.tables.registry import USER_FEATURES

ARCHIVE = Path(__file__).resolve().parents[2] / "cases" / "homes" / "home-0.1.tar.gz"
PLACE = Path("/tmp/tidemark-home-0.1")  # Iceberg's metadata names its files by absolute paths
MON, TUE = "2026-03-30", "2026-03-31"


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """The home, opened; for one test at a time on this machine."""
    monkeypatch.setenv("TIDEMARK_HOME", str(PLACE))
    monkeypatch.delenv("TIDEMARK_USER_KEY", raising=False)
    with PLACE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(PLACE, ignore_errors=True)
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(PLACE.parent, filter="data")
        try:
            yield pipeline.open()
        finally:
            shutil.rmtree(PLACE, ignore_errors=True)


def call(*arguments: str) -> list[list[str]]:
    """The lines that a command prints, in words."""
    command = [sys.executable, "-m", "pipeline", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def test_its_tables_are_read(older: Home) -> None:
    assert older.tables()["user_features"].days == {MON: 2, TUE: 2}
    rows = older.read("user_features")
    assert rows.equals(as_declared(rows, USER_FEATURES))
    assert sorted(older.read("user_features", TUE, ["recency_days"])["recency_days"].to_pylist()) == [1, 5]
    assert [(it.run, it.first) for it in older.history("user_features")] == [
        ("third", TUE),
        ("second", TUE),
        ("first", MON),
    ]
    assert older.user("webshop:Ann").row["recency_days"] == 1
    assert older.user("webshop:Bob", MON).row["recency_days"] == 4


def test_its_online_store_and_feast_repository_serve(older: Home) -> None:
    ann = older.user("webshop:Ann").row["user_id"]
    [row] = older.online.get([ann])
    assert row is not None and (row["ds"], row["recency_days"]) == (TUE, 1)
    labels = pd.DataFrame({"user_id": [ann], "event_timestamp": [datetime(2026, 4, 1, 10, tzinfo=UTC)]})
    assert older.as_of(labels, ["recency_days"])["recency_days"].to_pylist() == [1]
    assert "pipeline.feature_store" in (PLACE / "feast" / "feature_store.yaml").read_text(), "as 0.1 wrote it"
    found = older.feast.get_historical_features(labels, ["user_features:recency_days"]).to_df()
    assert found["recency_days"].tolist() == [1]


def test_the_commands_work_on_it(older: Home) -> None:
    status = call("status")
    assert ["landed", "2", "days,", f"{MON}..{TUE}"] in status
    assert ["user_features", "2", "days,", f"{MON}..{TUE}"] in status
    assert ["online", f"ds={TUE}", "serves,", "2", "users"] in status
    tables = call("tables")
    assert ["user_features", "2", MON, TUE, "-", "2"] in [line[:6] for line in tables]
    assert [line[-1] for line in call("history", "user_features")[1:]] == ["third", "second", "first"]
    call("rollback", "user_features", "--ds", TUE)
    assert older.user("webshop:Ann").row["recency_days"] == 9
