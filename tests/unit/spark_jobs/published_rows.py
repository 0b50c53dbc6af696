"""Rows of the log as tests need them, and tables published without the jobs that write them."""

import json
import time
import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from pipeline.runtime.settings import Settings
from pipeline.sources.source import Delivery, Source
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import write_day
from pipeline.storage.publish import publish
from pipeline.tables.schema import Table

Row = dict[str, Any]


def instant(text: str) -> datetime:
    """An ISO time; UTC where it names no offset."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else datetime.fromisoformat(text + "+00:00")


def event(time_: str, **fields: Any) -> Row:
    """A view of shop:a by user u, arriving on its own day, with `fields` changed.

    The account and the user are the same, where `fields` do not tell them apart.
    """
    user = fields.get("user_id", fields.get("account_id", "u"))
    row = {
        "event_id": uuid.uuid4().hex,
        "platform": "shop",
        "account_id": user,
        "user_id": user,
        "event_type": "view",
        "item_id": None if fields.get("event_type") == "search" else "shop:a",
        "event_time": instant(time_),
        "arrival_ds": time_[:10],
        **fields,
    }
    return {"ds": row["arrival_ds"], **row}


def shop_like(platform: str, timezone: str = "UTC", near_seconds: float = 0) -> Source:
    """A source of which only the platform, its zone and its near duplicates matter."""
    delivery = Delivery(f"{platform}/{{ds}}.csv", "csv", ("a",))
    return Source(platform, timezone, delivery, {}, Path("-"), near_duplicate_seconds=near_seconds)


def as_arrow(table: Table, rows: Iterable[Row]) -> pa.Table:
    """Rows in the columns of `table`; what a row lacks is null, texts of times become times."""
    full = [{f.name: _value(row.get(f.name), f.type) for f in table.schema} for row in rows]
    nullable = pa.schema([field.with_nullable(True) for field in table.schema])
    return pa.Table.from_pylist(full, schema=nullable)


def as_polars(table: Table, rows: Iterable[Row]) -> pl.DataFrame:
    return pl.DataFrame(as_arrow(table, rows))


def publish_rows(settings: Settings, table: Table, rows: Iterable[Row], days: list[str]) -> None:
    """Publishes `rows` as all there is of `days`."""
    rows, run = list(rows), f"test-{time.time_ns()}"
    attempt = staging.begin(settings, table.name, run)
    schema = file_schema(settings, table)
    files, content = {}, {}
    for ds in days:
        mine = [row for row in rows if row["ds"] == ds]
        content[ds] = {"rows": len(mine), "digest": uuid.uuid4().hex}
        if mine:
            files[ds] = [write_day(attempt.day(ds), as_arrow(table, mine), schema)]
    staging.complete(attempt, days, files)
    seen = {"all": attempt.path.name}
    staging.write_receipt(settings, staging.Receipt(table.name, run, seen, content, 0.0))
    publish(settings, table, run)


def publish_staged(settings: Settings, table: Table, run: str) -> None:
    """Publishes what a job staged, without the audit."""
    manifests = staging.current(settings, table.name, run)
    days = {ds: {"rows": 1, "digest": uuid.uuid4().hex} for m in manifests for ds in m.days}
    seen = {manifest.part: manifest.attempt for manifest in manifests}
    staging.write_receipt(settings, staging.Receipt(table.name, run, seen, days, 0.0))
    publish(settings, table, run)


def read_jsonl(path: Path) -> list[Row]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.strip()]


def _value(value: Any, kind: pa.DataType) -> Any:
    return instant(value) if pa.types.is_timestamp(kind) and isinstance(value, str) else value
