"""Every folder of tests/cases/raw_events and tests/cases/events: what landed rows become.

In `raw_events` a landed file is read by shop.toml; in `events` raw rows are judged, and `becomes`
says what each, in order, turns into. Accounts are written as `<platform>:<raw id>`.
"""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from pipeline.runtime.days import day_range
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import source_days
from pipeline.sources.source import load_source
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.tables.registry import RAW_EVENTS
from spark_jobs.events.clean import judge, keep_events, quarantine
from spark_jobs.landing.ingest import ingest
from spark_jobs.landing.inspect import inspect_drop
from spark_jobs.landing.pseudonymise import event_content, event_ids
from tests.unit.spark_jobs.published_rows import Row, as_arrow, event, read_jsonl, shop_like

pytestmark = pytest.mark.spark
CASES = Path(__file__).resolve().parents[2] / "cases"


def folders(table: str) -> list[Any]:
    return [pytest.param(path, id=path.name) for path in sorted((CASES / table).iterdir())]


@pytest.mark.parametrize("folder", folders("raw_events"))
def test_raw_events(spark: SparkSession, home: Settings, folder: Path) -> None:
    (home.landing / "shop").symlink_to(folder)
    source = load_source(folder / "shop.toml")
    landed = inspect_drop(home, source.delivery, source_days(home, source))
    found = ingest(spark, [(source, landed)], home).frame().toArrow().to_pylist()
    expected = [_named(home, row) for row in read_jsonl(folder / "expected.jsonl")]
    assert [_shown(row, like) for row, like in zip(found, expected, strict=False)] == expected
    assert len(found) == len(expected) == landed[0].records
    for row in found:
        assert (row["event_id"] is None) == (row["reject_reason"] is not None)
        assert (row["record"] is None) == (row["reject_reason"] is None)


@pytest.mark.parametrize("folder", folders("events"))
def test_events(spark: SparkSession, home: Settings, folder: Path) -> None:
    arguments = json.loads((folder / "arguments.json").read_text())
    near = arguments.pop("near_seconds", {})
    rows = read_jsonl(folder / "raw_events.jsonl")
    raw = _raw(spark, rows).persist()
    days = day_range("2011-03-01", max(row["ds"] for row in rows))
    zones = arguments.pop("zones", {})
    sources = [
        shop_like(platform, zones.get(platform, "UTC"), near.get(platform, 0))
        for platform in {row.get("platform", "shop") for row in rows}
    ]
    verdicts = judge(raw, days, home.model_copy(update=arguments), sources).persist()
    by_row = {row.data_row: row.verdict for row in verdicts.collect()}
    found = [row.get("reject_reason") or by_row.get(n, "event") for n, row in enumerate(rows)]
    expected = [row["becomes"] for row in read_jsonl(folder / "expected.jsonl")]
    assert _in_equal_rows(rows, found) == _in_equal_rows(rows, expected)
    assert keep_events(raw, verdicts).count() == expected.count("event")
    reasons = Counter(row.reason for row in quarantine(raw, verdicts).collect())
    assert reasons == Counter(v for v in expected if v not in ("event", "duplicate"))


@F.arrow_udf(StringType())
def hashed(platforms: pa.Array, accounts: pa.Array, contents: pa.Array) -> pa.Array:
    return event_ids(platforms, accounts, contents)


def _raw(spark: SparkSession, rows: list[Row]) -> DataFrame:
    filled = [event(arrival_ds=row["ds"], source_file="f", time_=row["event_time"], **_rest(row)) for row in rows]
    raw = spark.createDataFrame(as_arrow(RAW_EVENTS, filled))
    named = raw.withColumn("event_id", hashed("platform", "account_id", event_content())).coalesce(1)
    return named.select("*", F.lit("f").alias("data_file"), F.monotonically_increasing_id().alias("data_row"))


def _rest(row: Row) -> Row:
    rest = {name: value for name, value in row.items() if name not in ("ds", "event_time")}
    return {**rest, "attributes": [tuple(pair) for pair in row.get("attributes", [])]}


def _in_equal_rows(rows: list[Row], verdicts: list[str]) -> list[tuple[str, str]]:
    """Verdicts with the rows they are of; equal rows of one day may change places."""
    keys = [json.dumps({**row, "attributes": sorted(row.get("attributes", []))}) for row in rows]
    return sorted(zip(keys, verdicts, strict=True))


def _named(home: Settings, row: Row) -> Row:
    if row.get("account_id") is None:
        return row
    return {**row, "account_id": pseudonym(load_user_key(home.home), row["account_id"])}


def _shown(row: Row, like: Row) -> Row:
    return {name: _json(row[name]) for name in like}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [list(pair) for pair in value] if isinstance(value, list) else value
