"""`profile_users` stages signals of every user of the night, beside interests."""

import sys

import pytest
from pyspark.sql import SparkSession

from pipeline.runtime.errors import NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.storage import reading
from pipeline.tables.interests import ITEM_TOPICS, REVIEW_SENTIMENTS, USER_SIGNALS
from pipeline.tables.registry import ITEMS as ITEM_TABLE
from pipeline.tables.registry import USER_HISTORY
from spark_jobs import profile_users
from tests.unit.spark_jobs.lives_of_users import DS, ITEMS, history, plain_users
from tests.unit.spark_jobs.published_rows import publish_rows, publish_staged

pytestmark = pytest.mark.spark


def run_job(monkeypatch: pytest.MonkeyPatch, run: str) -> None:
    monkeypatch.setattr(sys, "argv", ["profile_users", "--ds", DS, "--run", run])
    profile_users.main()


def publish_night(home: Settings) -> list[str]:
    """What the job reads but review sentiments; returns the users."""
    states = history(plain_users(30))
    items = [{**row, "ds": DS, "first_ds": DS, "updated_ds": DS} for row in ITEMS.to_dicts()]
    topics = [{**row, "similarity": 0.9} for row in items]
    publish_rows(home, USER_HISTORY, states.to_dicts(), [DS])
    publish_rows(home, ITEM_TABLE, items, [DS])
    publish_rows(home, ITEM_TOPICS, topics, [DS])
    users: list[str] = states["user_id"].to_list()
    return users


def test_a_night_has_a_row_per_user_whatever_its_reviews(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = publish_night(home)
    review = {"ds": DS, "event_id": "e" * 32, "user_id": users[3], "item_id": "shop:1"}
    publish_rows(home, REVIEW_SENTIMENTS, [{**review, "sentiment": -0.5}], [DS])
    run_job(monkeypatch, "r")
    publish_staged(home, USER_SIGNALS, "r")
    rows = {row["user_id"]: row for row in reading.read("user_signals", DS, home).to_pylist()}
    assert sorted(rows) == users
    assert [row["reviews"] for row in rows.values()].count(1) == 1
    assert rows[users[3]]["sentiment"] == -0.5
    run_job(monkeypatch, "again")
    publish_staged(home, USER_SIGNALS, "again")
    assert {row["user_id"]: row for row in reading.read("user_signals", DS, home).to_pylist()} == rows


def test_a_night_without_review_sentiments_is_refused(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_night(home)
    with pytest.raises(NotPublishedError, match=f"review_sentiments ds={DS}: not published"):
        run_job(monkeypatch, "r")
