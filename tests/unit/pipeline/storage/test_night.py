"""One consistent night: tables that were made from one another, also while some are being made again."""

import time

import pytest

from pipeline.runtime.errors import NotPublishedError, StaleError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import write_day
from pipeline.storage.inputs import Inputs, Pins
from pipeline.storage.night import keep_night, open_night, require_together
from pipeline.storage.publish import publish
from pipeline.tables.interests import TOPICS
from pipeline.tables.registry import USER_FEATURES
from pipeline.tables.schema import Table
from tests.unit.pipeline.rows import publish_accounting, whole_row
from tests.unit.spark_jobs.published_rows import as_arrow

DS = "2026-03-01"


def released(settings: Settings, table: Table, mark: str, *read: Table) -> None:
    """Publishes a day of a table, made from what is published of others; `mark` tells contents apart."""
    inputs, run = Inputs.of(settings), f"run-{time.time_ns()}"
    for other in read:
        inputs.note(other.name, DS, DS)
    attempt = staging.begin(settings, table.name, run, fence=inputs.fence)
    rows = as_arrow(table, [whole_row(table, ds=DS, **{table.key[0]: mark * 32})])
    path = write_day(attempt.day(DS), rows, file_schema(settings, table))
    staging.complete(attempt, [DS], {DS: [path]}, inputs.as_json())
    receipt = staging.Receipt(table.name, run, {"all": attempt.path.name}, {DS: {"rows": 1, "digest": mark}}, 0.0)
    staging.write_receipt(settings, receipt)
    publish(settings, table, run)


def test_a_night_is_what_belongs_together(home: Settings) -> None:
    publish_accounting(home, "r", {DS: 1})
    with pytest.raises(NotPublishedError, match=f"user_features ds={DS}: not published"):
        open_night(home, DS)
    released(home, TOPICS, "a")
    released(home, USER_FEATURES, "b", TOPICS)
    keep_night(home, DS)
    night = open_night(home, DS)
    assert set(night.snapshots) == {"accounting", "topics", "user_features"}
    assert night.scan("topics").to_arrow()["topic_id"].to_pylist() == ["a" * 32]
    with pytest.raises(NotPublishedError, match="segments ds=2026-03-01: not part of the night"):
        night.scan("segments")


def test_a_night_stays_as_it_was_while_it_is_made_again(home: Settings) -> None:
    released(home, TOPICS, "a")
    released(home, USER_FEATURES, "b", TOPICS)
    keep_night(home, DS)
    released(home, TOPICS, "c")
    night = open_night(home, DS)
    assert night.scan("topics").to_arrow()["topic_id"].to_pylist() == ["a" * 32]
    assert night.scan("user_features").to_arrow()["user_id"].to_pylist() == ["b" * 32]
    released(home, USER_FEATURES, "d", TOPICS)
    assert open_night(home, DS).scan("topics").to_arrow()["topic_id"].to_pylist() == ["c" * 32]


def test_without_a_consistent_state_there_is_no_night(home: Settings) -> None:
    released(home, TOPICS, "a")
    released(home, USER_FEATURES, "b", TOPICS)
    released(home, TOPICS, "c")
    with pytest.raises(StaleError, match="user_features was made from rows of topics that are not the published ones"):
        open_night(home, DS)


def test_tables_that_were_not_made_from_one_another_are_not_read_together(home: Settings) -> None:
    released(home, TOPICS, "a")
    released(home, USER_FEATURES, "b", TOPICS)
    pair = (TOPICS.name, USER_FEATURES.name)
    require_together(Pins(home), DS, pair)
    released(home, TOPICS, "c")
    with pytest.raises(
        StaleError, match=r"user_features was made from rows of topics .* run `python -m pipeline repair`"
    ):
        require_together(Pins(home), DS, pair)
    require_together(Pins(home), DS, (USER_FEATURES.name,))
