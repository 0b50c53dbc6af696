"""A tiny home in which a person can be erased without Spark: JSON lines of one shop, rows published directly."""

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from pipeline.erasure.erase import erase
from pipeline.erasure.landed_search import LandedRecord
from pipeline.erasure.record import Record
from pipeline.runtime.settings import Settings
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage.publish import publish
from pipeline.storage.reading import read
from pipeline.tables.registry import table_named
from tests.unit.pipeline.staged_factory import DAY, SOUND, pass_audit, stage

ANNA, BOB = "anna.b@example.org", "bob-0815"
LANDED = f"shop/{DAY}.jsonl"
SOURCE = """
platform = "shop"
timezone = "UTC"
[delivery]
path = "shop/{ds}*"
format = "jsonl"
columns = ["who", "item"]
[event]
user_id = "who"
item_id = "item"
event_type = "'view'"
event_time = "now()"
"""


@pytest.fixture
def shop(home: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The shop is a source; its landing is searched line by line, and no model has learned."""
    home.sources.mkdir()
    (home.sources / "shop.toml").write_text(SOURCE)
    monkeypatch.setattr("pipeline.erasure.landed_search.find_records", find_records)
    monkeypatch.setattr("pipeline.erasure.erase.models_trained_on", lambda *_: [])
    return home


def find_records(
    settings: Settings, users: Iterable[str], names: Iterable[str], addresses: Iterable[str] = ()
) -> list[LandedRecord]:
    """What the Spark job finds in files of JSON lines."""
    accounts, written = set(users), set(addresses)
    return [
        LandedRecord(name, line, "shop", who)
        for name in sorted(set(names))
        for line, who in _users(settings.landing / name)
        if user(settings, who) in accounts or f"shop:{who}".lower() in written
    ]


def _users(path: Path) -> Iterator[tuple[int, str]]:
    if path.is_file() and not path.is_symlink():
        for line, text in enumerate(path.read_text().split("\n"), 1):
            try:
                yield line, json.loads(text)["who"]
            except (json.JSONDecodeError, TypeError, KeyError):
                continue


def user(settings: Settings, raw: str) -> str:
    return pseudonym(load_user_key(settings.home), f"shop:{raw}")


def land(settings: Settings, records: Iterable[dict[str, object] | str], name: str = LANDED) -> Path:
    """Lands records as JSON lines; a text as it is."""
    path = settings.landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{it if isinstance(it, str) else json.dumps(it)}\n" for it in records))
    return path


def put(settings: Settings, table: str, rows: list[dict[str, object]]) -> None:
    """Publishes rows of the day, each filled up to a sound one."""
    run = f"test-{time.time_ns()}"
    full = [{**SOUND[table], "ds": DAY, "arrival_ds": DAY, "source_file": LANDED, **row} for row in rows]
    known = set(table_named(table).schema.names)
    rows = [{name: it for name, it in row.items() if name in known} for row in full]
    pass_audit(settings, stage(settings, table, {DAY: rows}, run))
    publish(settings, table_named(table), run)


def rows_of(settings: Settings, table: str) -> list[dict[str, object]]:
    return read(table, DAY, settings).to_pylist()


def erased(settings: Settings, who: str = f"shop:{ANNA}") -> Record:
    return erase(settings, [who], "", lambda line: None)
