"""Every folder of tests/cases/<table>: input rows through the transform give the expected rows.

An expected row lists the columns that its case is about; the others may hold anything.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.tables.interests import ITEM_TOPICS, REVIEW_SENTIMENTS
from pipeline.tables.registry import EVENTS, ITEMS, RAW_EVENTS, USER_HISTORY
from pipeline.tables.schema import Table
from spark_jobs.behaviour.signals import signals
from spark_jobs.events.sessions import sessionize
from spark_jobs.interests.profile import user_interests
from spark_jobs.states.examples import Cutoff, make_examples
from spark_jobs.states.history import accumulate
from spark_jobs.states.items import last_of_day, merge_items, seen_items
from tests.unit.spark_jobs.published_rows import Row, as_arrow, event, read_jsonl

CASES = Path(__file__).resolve().parents[2] / "cases"
ZONES = {"shop": "UTC", "london": "Europe/London", "shanghai": "Asia/Shanghai"}


class Case:
    """The input of one folder: tables as jsonl files, and the arguments in arguments.json."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.folder = spark, folder
        arguments = folder / "arguments.json"
        self.arguments = json.loads(arguments.read_text()) if arguments.exists() else {}

    def events(self, table: Table = EVENTS, name: str = "events") -> DataFrame:
        """Rows with what they do not tell filled in; ids in the order of the file."""
        rows = read_jsonl(self.folder / f"{name}.jsonl")
        filled = [
            event(row.pop("event_time"), **{"event_id": f"{number:032x}", **row}) for number, row in enumerate(rows)
        ]
        return self._frame(table, filled)

    def users_events(self) -> DataFrame:
        """The same, of users: every account is its own."""
        return self.events().withColumn("user_id", F.col("account_id"))

    def rows(self, table: Table, name: str) -> DataFrame:
        return self._frame(table, read_jsonl(self.folder / f"{name}.jsonl"))

    def _frame(self, table: Table, rows: list[Row]) -> DataFrame:
        return self.spark.createDataFrame(as_arrow(table, rows))


def sessions(case: Case) -> DataFrame:
    return sessionize(case.events(), ZONES, timedelta(minutes=30), timedelta(hours=24))


def items(case: Case) -> DataFrame:
    raw = case.rows(RAW_EVENTS, "raw_events")
    drop = case.rows(ITEMS, "drop").drop("first_ds", "updated_ds")
    drop = drop.selectExpr("*", "'items.jsonl' as source_file", "1 as line")
    seen = seen_items(raw.where("reject_reason is null"), raw)
    past = case.rows(ITEMS, "past")
    return merge_items(past, seen, [last_of_day(drop)], case.arguments["days"])


def user_history(case: Case) -> DataFrame:
    past = case.rows(USER_HISTORY, "past")
    return accumulate(past, case.users_events(), **case.arguments).frame()


def profiles_of(case: Case) -> DataFrame:
    item_topics = as_arrow(ITEM_TOPICS, read_jsonl(case.folder / "item_topics.jsonl"))
    return user_interests(case.rows(USER_HISTORY, "user_history"), item_topics, **case.arguments)


def training_examples(case: Case) -> DataFrame:
    arguments = {**case.arguments}
    cutoffs = [Cutoff(*cutoff) for cutoff in arguments.pop("cutoffs")]
    return make_examples(case.users_events(), cutoffs=cutoffs, **arguments)


def user_signals(case: Case) -> DataFrame:
    """Histories of the events; `items.jsonl` holds the topics too."""
    ds = case.arguments["ds"]
    past = case.rows(USER_HISTORY, "past")
    histories = accumulate(past, case.users_events(), [ds], active_days=365, history_events=1024).frame()
    items, topics = case.rows(ITEMS, "items"), case.rows(ITEM_TOPICS, "items").toArrow()
    return signals(histories, items, topics, case.rows(REVIEW_SENTIMENTS, "sentiments"), ds)


RUN: dict[str, Callable[[Case], DataFrame]] = {
    "sessions": sessions,
    "items": items,
    "user_history": user_history,
    "training_examples": training_examples,
    "user_interests": profiles_of,
    "user_signals": user_signals,
}
ORDER = {
    "sessions": ("ds", "platform", "account_id", "started_at", "is_late"),
    "items": ("ds", "item_id"),
    "user_history": ("ds", "user_id"),
    "training_examples": ("cutoff_ds", "user_id"),
    "user_interests": ("user_id",),
    "user_signals": ("user_id",),
}
FOLDERS = [folder for table in RUN for folder in sorted((CASES / table).iterdir())]


@pytest.mark.spark
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_case(spark: SparkSession, folder: Path) -> None:
    table = folder.parent.name
    found = RUN[table](Case(spark, folder)).toArrow().to_pylist()
    found.sort(key=lambda row: tuple(row[name] for name in ORDER[table]))
    expected = read_jsonl(folder / "expected.jsonl")
    assert [_shown(row, like) for row, like in zip(found, expected, strict=False)] == expected
    assert len(found) == len(expected), found[len(expected) :]


def _shown(found: Any, like: Any) -> Any:
    """`found` as JSON would show it, cut to the columns of `like`."""
    if isinstance(found, datetime):
        return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(found, float):
        return round(found, 6)  # of 32 bits, many of them
    if isinstance(found, list):
        likes = like if isinstance(like, list) else []
        return [_shown(v, likes[n] if n < len(likes) else v) for n, v in enumerate(found)]
    if isinstance(found, dict) and isinstance(like, dict):
        return {name: _shown(found.get(name), like[name]) for name in like}
    return found
