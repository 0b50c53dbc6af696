"""`rows`: one event per element of a list, from JSON lines, CSV and Parquet; every folder of tests/cases/nested."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from pipeline.runtime.errors import SourceError
from pipeline.runtime.settings import Settings
from pipeline.sources.source import load_source
from spark_jobs.landing.ingest import ingest
from spark_jobs.landing.inspect import inspect_drop
from spark_jobs.landing.nested import number_elements, with_elements_counted
from tests.unit.spark_jobs.landed_shop import land, open_shop, rows_of, run_clean, run_ingest
from tests.unit.spark_jobs.published_rows import read_jsonl

CASES = Path(__file__).resolve().parents[2] / "cases" / "nested"
DAY = "2026-03-31"
TOML = (CASES / "orders" / "orders.toml").read_text()


def ingested(spark: SparkSession, home: Settings, name: str) -> list[dict[str, Any]]:
    """The raw rows of the day, each as its event id, reason and canonical columns."""
    source = load_source(home.sources / f"{name}.toml")
    landed = inspect_drop(home, source.delivery, [DAY])
    [(_, counted)] = with_elements_counted(spark, [(source, landed)], home)
    found = ingest(spark, [(source, landed)], home).frame().toArrow().to_pylist()
    assert sum(file.records for file in counted) == len(found)
    return found


@pytest.mark.spark
@pytest.mark.parametrize("folder", [pytest.param(path, id=path.name) for path in sorted(CASES.iterdir())])
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_each_element_is_an_event(spark: SparkSession, home: Settings, folder: Path, kind: str) -> None:
    lines = folder / f"{DAY}.jsonl"
    toml = (folder / "orders.toml").read_text()
    if kind == "jsonl":
        land(home, f"orders/{DAY}.jsonl", lines.read_text())
    else:
        if not (folder / "parquet.toml").exists():
            pytest.skip("its lists are of several types, which Parquet cannot hold")
        toml = (folder / "parquet.toml").read_text()
        (home.landing / "orders").mkdir()
        pq.write_table(pa.json.read_json(lines), home.landing / "orders" / f"{DAY}.parquet")
    open_shop(home, toml, "orders")
    found = ingested(spark, home, "orders")
    expected = read_jsonl(folder / "expected.jsonl")
    shown = [{name: _plain(row[name]) for name in like} for row, like in zip(found, expected, strict=True)]
    assert shown == expected
    ids = [row["event_id"] for row in found if not row["reject_reason"]]
    assert len(set(ids)) == len(ids), "each element is an event of its own"


def _plain(value: Any) -> Any:
    return sorted([list(pair) for pair in value]) if isinstance(value, list) else value


@pytest.mark.spark
def test_a_second_delivery_gives_the_same_ids_in_any_order(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (CASES / "orders" / f"{DAY}.jsonl").read_text().splitlines()
    again = []
    for record in map(json.loads, lines[:3]):
        record["line_items"].reverse()
        again.append(json.dumps({**record, "note": "a field that is new"}))
    open_shop(home, TOML, "orders")
    land(home, f"orders/{DAY}.jsonl", "\n".join([*lines, *again]))
    run_ingest(monkeypatch, DAY, DAY)
    run_clean(monkeypatch, DAY, DAY)
    expected = read_jsonl(CASES / "orders" / "expected.jsonl")
    reasons = Counter(row["reject_reason"] for row in expected if row["reject_reason"])
    events = len(expected) - reasons.total()
    repeated = sum(len(record["line_items"]) for record in map(json.loads, lines[:3]))
    [(rows, kept, twice, quarantined)] = rows_of("accounting", "rows_landed", "events", "duplicates", "quarantined")
    assert (rows, kept, twice, quarantined) == (len(expected) + repeated, events, repeated, reasons.total())
    assert Counter(reason for (reason,) in rows_of("quarantine", "reason")) == reasons


@pytest.mark.spark
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("id", "expected a path to a list, or to its JSON text, found bigint"),
        ("lines.skus", "expected the field skus, found sku"),
        ("lines.sku.code", "expected a path to a list, or to its JSON text, found string"),
    ],
)
def test_a_path_without_a_list_is_named(spark: SparkSession, home: Settings, rows: str, message: str) -> None:
    toml = TOML.replace("jsonl", "parquet").replace(', "line_items"]', ', "lines"]').replace("line_items", rows)
    open_shop(home, toml, "orders")
    (home.landing / "orders").mkdir()
    table = pa.table({"id": [1], "customer": ["71"], "created_at": ["2026-03-31T11:00:00Z"], "lines": [[{"sku": "A"}]]})
    pq.write_table(table, home.landing / "orders" / f"{DAY}.parquet")
    with pytest.raises(SourceError) as caught:
        ingested(spark, home, "orders")
    assert "orders.toml: delivery.rows" in str(caught.value)
    assert message in str(caught.value)


def test_rows_of_a_record_are_numbered_across_batches() -> None:
    records, contents = list("aaabbbbc"), list("xyxxxxyx")
    batches = [
        pa.record_batch([pa.array(it[start:end], pa.string()) for it in (records, contents)], ["_record", "_content"])
        for start, end in ((0, 2), (2, 4), (4, 5), (5, 5), (5, 8))
    ]
    found = pa.Table.from_batches(list(number_elements(iter(batches)))).to_pydict()
    assert found == {
        "_record": records,
        "_content": contents,
        "_element": [1, 2, 3, 1, 2, 3, 4, 1],
        "_repeat": [1, 1, 2, 1, 2, 3, 1, 1],
    }
