"""One small sample for all tests of the generator, and its files read back without the pipeline."""

import csv
import gzip
import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from pipeline.sources.sample import generate

EVENTS, DAYS = 60_000, 60
FIELDS = {
    "webshop": ("uid", "sku", "action", "ts"),
    "marketplace": ("buyer", "listing", "event", "occurred_at"),
}


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Landing folder of 60,000 rows over 60 days that hold the spring change of clocks."""
    out = tmp_path_factory.mktemp("landing")
    generate(out, events=EVENTS, days=DAYS, seed=7)
    return out


def truth(out: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(out / "_truth" / f"{name}.parquet")


def landed(out: Path, platform: str) -> pl.DataFrame:
    """Each line as `ds, user, item, kind, time` (UTC); all but ds null where malformed."""
    rows = []
    for path in sorted((out / platform).glob("*.gz")):
        ds = path.name[:10]
        with gzip.open(path, "rt", newline="") as file:
            lines = map(_json, file) if platform == "webshop" else csv.DictReader(file)
            rows += [(ds, *_parse(line, platform)) for line in lines]
    return pl.DataFrame(rows, schema=["ds", "user", "item", "kind", "time"], orient="row")


def _json(line: str) -> dict:
    try:
        return json.loads(line)
    except ValueError:
        return {}


def _parse(line: dict, platform: str) -> tuple[str | None, ...]:
    user, item, kind, when = (line.get(name) for name in FIELDS[platform])
    try:
        time = _instant(when, platform)
    except (TypeError, ValueError):
        return None, None, None, None
    return (user, item or None, kind, time) if user else (None, None, None, None)


def _instant(text: str | None, platform: str) -> datetime:
    if platform == "webshop":
        return datetime.fromisoformat(text or "").astimezone(ZoneInfo("UTC"))
    local = datetime.strptime(text or "", "%d/%m/%Y %H:%M:%S").replace(tzinfo=ZoneInfo("Europe/London"))
    return local.astimezone(ZoneInfo("UTC"))
