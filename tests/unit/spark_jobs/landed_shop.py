"""A small shop whose files a test lands, and the jobs run over them in this process."""

import gzip
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage.reading import read
from pipeline.tables.registry import ACCOUNTING, EVENTS, IDENTITIES, QUARANTINE, RAW_EVENTS, table_named
from pipeline.tables.schema import Table
from spark_jobs import clean_events, ingest_raw
from tests.unit.spark_jobs.published_rows import publish_staged

TOML = """
platform = "shop"
timezone = "Europe/London"
near_duplicate_seconds = 2
max_late_days = 3
[delivery]
path = "shop/{ds}*"
format = "csv"
columns = ["who", "what", "item", "at", "price"]
[event]
user_id = "who"
item_id = "item"
event_type = "what"
event_time = "to_timestamp_ntz(at)"
price = "CAST(price AS DOUBLE)"
"""
HEADER = "who,what,item,at,price\n"


def open_shop(home: Settings, toml: str = TOML, name: str = "shop") -> None:
    """Makes the shop a source of `home`."""
    home.sources.mkdir(exist_ok=True)
    (home.sources / f"{name}.toml").write_text(toml)


def land(home: Settings, name: str, content: str | bytes) -> Path:
    """Lands a file below landing/; gzipped when its name ends so."""
    path = home.landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def run_ingest(monkeypatch: pytest.MonkeyPatch, first: str, last: str) -> None:
    """Ingests the range and publishes it."""
    _run(monkeypatch, ingest_raw.main, first, last, RAW_EVENTS, IDENTITIES)


def run_clean(monkeypatch: pytest.MonkeyPatch, first: str, last: str) -> None:
    """Cleans the range and publishes it."""
    _run(monkeypatch, clean_events.main, first, last, EVENTS, QUARANTINE, ACCOUNTING)


def rows_of(name: str, *columns: str) -> list[tuple[object, ...]]:
    """The published rows of a table, in some fixed order."""
    found: pa.Table = read(name, settings=load_settings())
    chosen = found.select(columns or table_named(name).schema.names)
    return sorted((tuple(row.values()) for row in chosen.to_pylist()), key=str)


def _run(monkeypatch: pytest.MonkeyPatch, main: Callable[[], None], first: str, last: str, *tables: Table) -> None:
    run = f"test-{time.time_ns()}"
    monkeypatch.setattr(sys, "argv", ["job", "--from", first, "--to", last, "--run", run])
    main()
    for table in tables:
        publish_staged(load_settings(), table, run)
