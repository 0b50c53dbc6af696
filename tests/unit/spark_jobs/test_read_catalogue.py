"""Catalogue drops: what is read, and the rows that refuse a day."""

import gzip

import pytest
from pyspark.sql import SparkSession

from pipeline.runtime.errors import LandingError, SourceError
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import find_source
from spark_jobs.landing.catalogue import read_catalogue
from spark_jobs.landing.inspect import inspect_catalogues

pytestmark = pytest.mark.spark
TOML = """
platform = "shop"
timezone = "UTC"
[delivery]
path = "shop/{{ds}}.csv"
format = "csv"
columns = ["a"]
[event]
user_id = "a"
item_id = "a"
event_type = "a"
event_time = "to_timestamp(a)"
[items]
path = "shop/items/{{ds}}.{suffix}"
format = "{format}"
columns = ["sku", "name", "cost"]
item_id = "sku"
title = "name"
price = "{price}"
"""


def read(
    spark: SparkSession,
    home: Settings,
    lines: str | bytes,
    suffix: str = "jsonl",
    price: str = "cost",
) -> list[tuple[str, str | None, float | None, int]]:
    home.sources.mkdir()
    toml = TOML.format(suffix=suffix, format=suffix.removesuffix(".gz"), price=price)
    (home.sources / "shop.toml").write_text(toml)
    file = home.landing / "shop" / "items" / f"2011-03-01.{suffix}"
    file.parent.mkdir(parents=True)
    file.write_bytes(lines if isinstance(lines, bytes) else lines.encode())
    source = find_source(home, "shop")
    assert source.items
    [(_, files)] = inspect_catalogues(home, [source], "2011-03-01", "2011-03-01")
    rows = read_catalogue(spark, source, source.items, files, home.max_record_bytes)
    return [tuple(row) for row in rows.select("item_id", "title", "price", "line").collect()]


def test_json_lines(spark: SparkSession, home: Settings) -> None:
    lines = '{"sku": "1", "name": " Mug ", "cost": 1.5, "new": {}}\n\n{"sku": "2", "name": ""}\n'
    assert read(spark, home, lines) == [("shop:1", "Mug", 1.5, 1), ("shop:2", None, None, 3)]


def test_csv_with_quotes_and_prices_that_tell_nothing(spark: SparkSession, home: Settings) -> None:
    lines = 'cost,sku,name\n2,1,"Mug, ""blue"""\n-3,2,Cup\nfree,3,Pot\nInfinity,4,\n'
    assert read(spark, home, lines, "csv") == [
        ("shop:1", 'Mug, "blue"', 2.0, 2),
        ("shop:2", "Cup", None, 3),
        ("shop:3", "Pot", None, 4),
        ("shop:4", None, None, 5),
    ]


def test_an_empty_drop_is_a_day_without_changes(spark: SparkSession, home: Settings) -> None:
    assert read(spark, home, "", "jsonl") == []


@pytest.mark.parametrize(
    ("suffix", "lines", "message"),
    [
        ("jsonl", '{"sku": "1"}\n{"sku": \n', "2011-03-01.jsonl, line 2: .* found malformed"),
        (
            "jsonl",
            '{"sku": "1"}\n{"name": "Mug"}\n',
            "2011-03-01.jsonl, line 2: .* found no item_id",
        ),
        ("jsonl", b'{"sku": "\xff"}\n', "2011-03-01.jsonl, line 1: .* found bad_encoding"),
        ("csv", "sku,name,cost\n1,Mug,2\n2,Cup\n", "2011-03-01.csv, line 3: .* found malformed"),
        ("csv", "sku,name\n1,Mug\n", "2011-03-01.csv: expected the columns .* missing are cost"),
        (
            "jsonl.gz",
            gzip.compress(b'{"sku": "1"}\n' * 99, mtime=0)[:-9],
            "2011-03-01.jsonl.gz: .*truncated",
        ),
    ],
)
def test_day_is_refused(spark: SparkSession, home: Settings, suffix: str, lines: str | bytes, message: str) -> None:
    with pytest.raises(LandingError, match=f"shop/items/{message}"):
        read(spark, home, lines, suffix)


def test_wrong_expression_is_named(spark: SparkSession, home: Settings) -> None:
    with pytest.raises(SourceError, match=r"shop.toml: items.price = 'cots': .*cots"):
        read(spark, home, '{"sku": "1"}\n', price="cots")
