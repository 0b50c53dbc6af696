"""Days of Parquet and ORC as tools write them: drift between files, local times, nested columns, odd names."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc
from pyspark.sql import SparkSession

from pipeline.runtime.settings import Settings
from tests.unit.spark_jobs.landed_shop import TOML, open_shop, rows_of, run_ingest

pytestmark = pytest.mark.spark
DAY = "2011-07-01"
NOON = datetime(2011, 7, 1, 12)
LAKE = (
    TOML.replace('"shop"', '"lake"')
    .replace('path = "shop/{ds}*"', 'path = "lake/dt={ds}/*"')
    .replace('"csv"', '"parquet"')
    .replace("to_timestamp_ntz(at)", "at")
)


def write(home: Settings, name: str, table: pa.Table, **options: object) -> Path:
    path = home.landing / "lake" / f"dt={DAY}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(".orc"):
        orc.write_table(table, path)
    else:
        pq.write_table(table, path, **options)
    return path


def event(**columns: pa.Array) -> pa.Table:
    usual = {
        "who": pa.array(["anna"]),
        "what": pa.array(["view"]),
        "item": pa.array(["mug"]),
        "at": pa.array([NOON], pa.timestamp("us")),
        "price": pa.array([1.5]),
    }
    return pa.table({**usual, **columns})


def test_files_of_one_day_may_differ(spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    open_shop(home, LAKE, "lake")
    write(home, "a+b %41 ü#.parquet", event(), row_group_size=1)
    write(home, "b zoned.parquet", event(at=pa.array([NOON.replace(tzinfo=UTC)], pa.timestamp("ns", "UTC"))))
    write(home, "c int96.parquet", event(), use_deprecated_int96_timestamps=True)
    write(home, "d ids.parquet", event(who=pa.array([12345678.0]), item=pa.array([2**53 + 1]), price=pa.array([2])))
    more = {"_landed": pa.array(["x"]), "sha256": pa.array([7]), "n.`a": pa.array([{"k": [1]}])}
    write(home, "e more.parquet", event(**more))
    aside = home.landing / "lake" / f"dt={DAY}"
    for name in ("_SUCCESS", ".part-0.crc", "_committed_1"):
        (aside / name).write_bytes(b"not data")
    (aside / "_temporary").mkdir()
    run_ingest(monkeypatch, DAY, DAY)
    found = rows_of("raw_events", "source_file", "item_id", "event_time", "price", "attributes", "reject_reason")
    local, instant = datetime(2011, 7, 1, 11, tzinfo=UTC), NOON.replace(tzinfo=UTC)  # London is an hour ahead
    folder = f"lake/dt={DAY}"
    unknown = [("unknown._landed", "x"), ("unknown.sha256", "7"), ("unknown.n.`a", '{"k":[1]}')]
    assert found == [
        (f"{folder}/a+b %41 ü#.parquet", "lake:mug", local, 1.5, None, None),
        (f"{folder}/b zoned.parquet", "lake:mug", instant, 1.5, None, None),
        (f"{folder}/c int96.parquet", "lake:mug", instant, 1.5, None, None),
        (f"{folder}/d ids.parquet", "lake:9007199254740993", local, 2.0, None, None),
        (f"{folder}/e more.parquet", "lake:mug", local, 1.5, unknown, None),
    ]


def test_orc(spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    open_shop(home, LAKE.replace('"parquet"', '"orc"'), "lake")
    write(home, "part-0.orc", event(at=pa.array([NOON], pa.timestamp("ns"))))
    run_ingest(monkeypatch, DAY, DAY)
    local = datetime(2011, 7, 1, 11, tzinfo=UTC)
    assert rows_of("raw_events", "event_time", "price", "reject_reason") == [(local, 1.5, None)]
