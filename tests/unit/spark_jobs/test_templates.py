"""Each template reads its sample as tests/cases/templates says.

There `user` is the raw id, and ids of items lack the platform.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pipeline.runtime.errors import SourceError
from pipeline.runtime.settings import Settings
from pipeline.sources.known import Template, templates
from pipeline.sources.landing import source_days
from pipeline.sources.source import Source, load_source
from pipeline.sources.user_key import load_user_key, pseudonym
from spark_jobs.landing.catalogue import read_catalogue
from spark_jobs.landing.ingest import ingest
from spark_jobs.landing.inspect import inspect_drop
from spark_jobs.landing.map_source import UNKNOWN
from tests.unit.spark_jobs.published_rows import read_jsonl

CASES = Path(__file__).resolve().parents[2] / "cases" / "templates"
EACH = pytest.mark.parametrize("template", [pytest.param(it, id=it.name) for it in templates().values()])


def loaded(template: Template) -> Source:
    """The template as a source; skips where the reader does not know how its text is delimited."""
    try:
        return load_source(template.file)
    except SourceError as error:
        if any(f"delivery.{key}: expected no such key" in str(error) for key in ("header", "delimiter")):
            pytest.skip("needs the keys delimiter and header of [delivery]")
        raise


@EACH
def test_the_comment_says_what_it_reads_and_where_that_is_described(template: Template) -> None:
    assert template.schema.startswith("https://")
    assert 10 < len(template.title) < 110
    assert all(len(line) <= 120 for line in template.text.splitlines())
    assert 'platform = "other"\n' in template.named("other")
    assert template.name not in template.named("other").split("platform =")[1].split("[event]")[0]


@pytest.mark.spark
@EACH
def test_a_template_reads_its_sample(spark: SparkSession, home: Settings, template: Template) -> None:
    source = loaded(template)
    shutil.copytree(template.samples, home.landing / template.name)
    [day] = source_days(home, source)
    found = ingest(spark, [(source, inspect_drop(home, source.delivery, [day]))], home).frame().toArrow().to_pylist()
    expected = read_jsonl(CASES / f"{template.name}.jsonl")
    key = load_user_key(home.home)
    for row in expected:
        if row.get("item_id"):
            row["item_id"] = f"{template.name}:{row['item_id']}"
        if "user" in row:
            row["account_id"] = pseudonym(key, f"{template.name}:{row.pop('user')}")
            row["reject_reason"] = None
    assert [{name: _plain(row[name]) for name in like} for row, like in zip(found, expected, strict=True)] == expected
    ids = [row["event_id"] for row in found if not row["reject_reason"]]
    assert len(ids) == len(set(ids)) > 0


@pytest.mark.spark
@EACH
def test_a_template_reads_its_catalogue(spark: SparkSession, home: Settings, template: Template) -> None:
    source = loaded(template)
    assert (source.items is not None) == (CASES / f"{template.name}.items.jsonl").exists()
    if source.items is None:
        return
    shutil.copytree(template.samples, home.landing / template.name)
    landed = inspect_drop(home, source.items, source_days(home, source))
    rows = read_catalogue(spark, source, source.items, landed, home.max_record_bytes).orderBy("source_file", "line")
    expected = read_jsonl(CASES / f"{template.name}.items.jsonl")
    for row in expected:
        row["item_id"] = f"{template.name}:{row['item_id']}"
    found = rows.toArrow().to_pylist()
    assert [{name: row[name] for name in like} for row, like in zip(found, expected, strict=True)] == expected


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, list):
        return sorted(list(pair) for pair in value if not pair[0].startswith(UNKNOWN)) or None
    return value
