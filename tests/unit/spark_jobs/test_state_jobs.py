"""The jobs behind clean events, on published tables: a range load equals night after night."""

import json
import sys
from collections.abc import Callable

import pytest
from pyspark.sql import SparkSession

from pipeline.runtime.days import day_range
from pipeline.runtime.errors import NotPublishedError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage import reading
from pipeline.tables.registry import (
    EVENTS,
    ITEMS,
    RAW_EVENTS,
    SESSIONS,
    TRAINING_EXAMPLES,
    USER_HISTORY,
)
from pipeline.tables.schema import Table
from spark_jobs import accumulate_history, build_catalogue, build_examples, build_sessions
from tests.unit.spark_jobs.published_rows import Row, event, publish_rows, publish_staged

pytestmark = pytest.mark.spark
USER = "0" * 32
DAYS = day_range("2011-03-01", "2011-03-06")
SHOP = """
platform = "shop"
timezone = "UTC"
[delivery]
path = "shop/{ds}.csv"
format = "csv"
columns = ["a"]
[event]
user_id = "a"
item_id = "a"
event_type = "a"
event_time = "to_timestamp(a)"
[items]
path = "shop/items/{ds}.jsonl"
format = "jsonl"
columns = ["sku", "name"]
item_id = "sku"
title = "name"
"""


def log() -> list[Row]:
    """Six days of two users: across midnight, late, ahead of the clock, silent days."""
    times = [
        ("2011-03-01T23:50:00", "2011-03-01", "a"),
        ("2011-03-02T00:05:00", "2011-03-02", "b"),
        ("2011-03-02T09:00:00", "2011-03-04", "a"),
        ("2011-03-04T00:01:00", "2011-03-03", "c"),
        ("2011-03-04T00:20:00", "2011-03-04", "a"),
        ("2011-03-06T12:00:00", "2011-03-06", "d"),
    ]
    return [
        event(
            time,
            event_id=f"{number:032x}",
            account_id=USER if number % 4 else "1" * 32,
            arrival_ds=ds,
            item_id=f"shop:{item}",
            price=number + 0.5,
            source_file="-",
            item_title=f"Title {item}",
        )
        for number, (time, ds, item) in enumerate(times)
    ]


@pytest.fixture
def published(home: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with six published days; states are kept for three days of a range."""
    monkeypatch.setenv("TIDEMARK_SNAPSHOT_DAYS", "3")
    monkeypatch.setenv("TIDEMARK_ACTIVE_DAYS", "4")
    home.sources.mkdir()
    (home.sources / "shop.toml").write_text(SHOP)
    drops = home.landing / "shop" / "items"
    drops.mkdir(parents=True)
    for ds, name in [("2011-03-01", "Old"), ("2011-03-05", "New")]:
        (drops / f"{ds}.jsonl").write_text(json.dumps({"sku": "z", "name": name}) + "\n")
    settings = load_settings()
    publish_rows(settings, EVENTS, log(), DAYS)
    publish_rows(settings, RAW_EVENTS, log(), DAYS)
    return settings


def run(main: Callable[[], None], table: Table, settings: Settings, *arguments: str) -> list[Row]:
    """Runs and publishes a job; all rows of its table afterwards."""
    name = "-".join([table.name, *arguments])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["job", *arguments, "--run", name])
        main()
    publish_staged(settings, table, name)
    rows: list[Row] = reading.read(table.name, settings=settings).to_pylist()
    return sorted(rows, key=lambda row: [row[key] for key in ("ds", *table.key)])


@pytest.mark.parametrize(
    ("main", "table", "first"),
    [
        (build_sessions.main, SESSIONS, DAYS[0]),
        (build_catalogue.main, ITEMS, DAYS[-3]),
        (accumulate_history.main, USER_HISTORY, DAYS[-3]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_range_equals_nights(
    spark: SparkSession, published: Settings, main: Callable[[], None], table: Table, first: str
) -> None:
    whole = run(main, table, published, "--from", DAYS[0], "--to", DAYS[-1])
    for ds in day_range(first, DAYS[-1]):
        nights = run(main, table, published, "--ds", ds)
    assert nights == whole
    assert {row["ds"] for row in whole} <= set(day_range(first, DAYS[-1]))


def test_catalogue_holds_drops_and_event_rows(spark: SparkSession, published: Settings) -> None:
    items = run(build_catalogue.main, ITEMS, published, "--from", DAYS[0], "--to", DAYS[-1])
    told = {(row["ds"], row["item_id"]): (row["title"], row["updated_ds"]) for row in items}
    assert told["2011-03-04", "shop:z"] == ("Old", "2011-03-01")
    assert told["2011-03-06", "shop:z"] == ("New", "2011-03-05")
    assert ("2011-03-05", "shop:d") not in told
    assert told["2011-03-06", "shop:d"] == ("Title d", "2011-03-06")


def test_history_of_the_last_day(spark: SparkSession, published: Settings) -> None:
    rows = run(accumulate_history.main, USER_HISTORY, published, "--ds", DAYS[-1])
    mine = next(row for row in rows if row["user_id"] == USER)
    assert [entry["item_id"] for entry in mine["events"]] == ["shop:a", "shop:c", "shop:d"]
    assert (mine["first_ds"], mine["last_ds"]) == ("2011-03-03", "2011-03-06")


def test_missing_day_is_refused(spark: SparkSession, published: Settings) -> None:
    with pytest.raises(NotPublishedError, match=r"events: .* the first ds=2011-03-07; run the"):
        run(accumulate_history.main, USER_HISTORY, published, "--ds", "2011-03-07")


def test_examples_of_the_last_day_of_a_range(spark: SparkSession, home: Settings) -> None:
    days = day_range("2011-01-01", "2011-03-11")  # 70 days: the shortest log
    views = [event("2011-01-07T10:00:00"), event("2011-02-01T10:00:00")]
    rows = [{**row, "event_id": f"{n:032x}", "account_id": USER} for n, row in enumerate(views)]
    publish_rows(home, EVENTS, rows, days)
    found = run(build_examples.main, TRAINING_EXAMPLES, home, "--from", days[-2], "--to", days[-1])
    shown = [(row["ds"], row["cutoff_ds"], row["fold"], row["churn_28d"]) for row in found]
    assert shown == [
        ("2011-03-11", "2011-01-07", "train", False),
        ("2011-03-11", "2011-01-14", "valid", False),
        ("2011-03-11", "2011-02-11", "test", True),
    ]
