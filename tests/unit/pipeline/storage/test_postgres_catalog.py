"""The catalogue on a real Postgres server, as in production."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.runtime.settings import Settings
from pipeline.storage.reading import published, read
from pipeline.storage.rollback import rollback
from pipeline.tables.registry import ACCOUNTING
from tests.postgres import postgres_server
from tests.unit.pipeline.rows import publish_accounting


@pytest.fixture
def on_postgres(home: Settings) -> Iterator[Settings]:
    # Not below pytest's own folder, which only its user may enter.
    with tempfile.TemporaryDirectory(prefix="pg") as folder, postgres_server(Path(folder)) as uri:
        yield home.model_copy(update={"catalog_uri": uri})


def test_publish_read_and_roll_back(on_postgres: Settings) -> None:
    publish_accounting(on_postgres, "one", {"2011-11-08": 1, "2011-11-09": 1})
    publish_accounting(on_postgres, "two", {"2011-11-09": 2})
    assert read("accounting", "2011-11-09", on_postgres).num_rows == 2
    rollback(on_postgres, ACCOUNTING, "2011-11-09")
    assert read("accounting", settings=on_postgres).num_rows == 2
    assert not (on_postgres.home / "catalog.db").exists()


def test_publishers_of_different_days_lose_nothing(on_postgres: Settings) -> None:
    days = [f"2011-11-{number:02}" for number in range(1, 9)]
    publish_accounting(on_postgres, "first", {"2011-10-31": 1})
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda ds: publish_accounting(on_postgres, f"run-{ds}", {ds: 3}), days))
    assert set(published("accounting", on_postgres)) == {"2011-10-31", *days}
    assert read("accounting", settings=on_postgres).num_rows == 1 + 3 * len(days)
