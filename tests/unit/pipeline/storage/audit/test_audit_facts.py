"""Rows against what the jobs counted another way, and the accounting against its neighbours."""

import pytest

from pipeline.runtime.errors import AuditError, StagingError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.audit.facts import (
    check_accounting,
    check_item_topics,
    check_row_facts,
    list_lengths,
)
from pipeline.storage.publish import publish
from pipeline.tables.registry import table_named
from tests.unit.pipeline import staged_factory as factory
from tests.unit.pipeline.staged_factory import DAY, event, pass_audit, stage

NEXT = "2024-03-06"


def check_rows(settings: Settings, rows: dict[str, int]) -> None:
    check_row_facts("events", staging.current(settings, "events", "r1"), rows)


@pytest.mark.parametrize(
    ("stated", "found", "message"),
    [
        ({DAY: 3, NEXT: 0}, {DAY: 3, NEXT: 0}, ""),
        ({DAY: 3}, {DAY: 3, NEXT: 0}, ""),  # a day left out had no rows
        ({DAY: 4}, {DAY: 3}, f"events ds={DAY}: expected 4 rows (counted by the job), found 3"),
        ({DAY: 3}, {DAY: 3, NEXT: 1}, f"events ds={NEXT}: expected 0 rows (counted by the job)"),
        ({NEXT: 2}, {DAY: 0}, f"events ds={NEXT}: expected 2 rows (counted by the job), found 0"),
    ],
)
def test_rows_equal_what_the_job_counted(
    home: Settings, stated: dict[str, int], found: dict[str, int], message: str
) -> None:
    stage(home, "events", {DAY: []}, facts={"rows": stated})
    if not message:
        return check_rows(home, found)
    with pytest.raises(AuditError) as error:
        check_rows(home, found)
    assert str(error.value).startswith(message)
    return None


def test_counts_are_summed_over_parts_and_every_part_must_state_one(home: Settings) -> None:
    stage(home, "events", {DAY: []}, part="bucket-0", facts={"rows": {DAY: 2}})
    stage(home, "events", {DAY: []}, part="bucket-1", facts={"rows": {DAY: 3}})
    check_rows(home, {DAY: 5})
    stage(home, "events", {DAY: []}, part="bucket-2")
    with pytest.raises(AuditError) as error:
        check_rows(home, {DAY: 5})
    assert str(error.value) == (
        "events: expected every part to state its rows, found 2 of 3 that do; run the job again"
    )


def test_without_a_stated_count_any_count_passes(home: Settings) -> None:
    stage(home, "events", {DAY: []})
    check_rows(home, {DAY: 5})


def test_the_shortest_stated_list_length_counts(home: Settings) -> None:
    stage(home, "events", {DAY: []}, part="a", facts={"next_items": 9, "rows": {DAY: 0}})
    stage(home, "events", {DAY: []}, part="b", facts={"next_items": 7})
    assert list_lengths(staging.current(home, "events", "r1")) == {"next_items": 7}


# ---- item_topics: items of the topics of the same run


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({}, ""),
        ({"topic_id": "t0002"}, r"expected topics that are alive in `topics`, found t0002 of 1"),
        ({"topic_id": "t0009"}, r"expected topics that are alive in `topics`, found t0009 of 1"),
        ({"topic_id": "t0003"}, r"expected 2 items of topic t0001 \(`topics`\), found 1"),
    ],
)
def test_items_belong_to_topics_that_are_alive(home: Settings, changed: dict[str, object], message: str) -> None:
    topic, item = factory.SOUND["topics"], factory.SOUND["item_topics"]
    ended = {**topic, "topic_id": "t0002", "items": 0, "ended_ds": DAY, "ended_how": "died"}
    stage(home, "topics", {DAY: [{**topic, "items": 2}, ended, {**topic, "topic_id": "t0003", "items": 1}]})
    items = [item, {**item, "item_id": "shop:2"} | changed, {**item, "topic_id": "t0003"}]
    stage(home, "item_topics", {DAY: items})
    manifests = staging.current(home, "item_topics", "r1")
    if not message:
        return check_item_topics(home, "r1", manifests)
    with pytest.raises(AuditError, match=message):
        check_item_topics(home, "r1", manifests)
    return None


def test_items_without_the_topics_of_their_run_are_refused(home: Settings) -> None:
    stage(home, "item_topics", {DAY: [factory.SOUND["item_topics"]]})
    with pytest.raises(StagingError, match="topics: run 'r1' staged nothing"):
        check_item_topics(home, "r1", staging.current(home, "item_topics", "r1"))


# ---- accounting: 6 rows landed = 3 events + 1 duplicate + 2 quarantined


def quarantined(number: int) -> dict[str, object]:
    return {**factory.SOUND["quarantine"], "source_file": f"{number}.csv"}


def stage_clean(settings: Settings, landed: int = 6, events: int = 3, rejected: int = 2, **changes: object) -> None:
    raw = [{**factory.SOUND["raw_events"], "source_file": f"{n}.csv"} for n in range(landed)]
    pass_audit(settings, stage(settings, "raw_events", {DAY: raw}))
    publish(settings, table_named("raw_events"), "r1")
    stage(settings, "events", {DAY: [event(n) for n in range(events)]})
    stage(settings, "quarantine", {DAY: [quarantined(n) for n in range(rejected)]})
    stage(settings, "accounting", {DAY: [{**factory.SOUND["accounting"], **changes}]})


def check(settings: Settings) -> None:
    check_accounting(settings, "r1", staging.current(settings, "accounting", "r1"))


def test_an_accounting_that_agrees_passes(home: Settings) -> None:
    stage_clean(home)
    check(home)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"events": 2}, "expected events = 2 (rows of staged events), found 3"),
        ({"rejected": 3}, "expected quarantined = 3 (rows of staged quarantine), found 2"),
    ],
)
def test_an_accounting_that_disagrees_with_its_tables_is_refused(
    home: Settings, counts: dict[str, int], message: str
) -> None:
    stage_clean(home, **counts)
    with pytest.raises(AuditError) as error:
        check(home)
    assert str(error.value) == (f"accounting ds={DAY} platform=shop: {message}; run clean again")


def test_rows_of_a_platform_without_accounting_are_refused(home: Settings) -> None:
    stage_clean(home)
    stage(
        home,
        "quarantine",
        {DAY: [quarantined(1), quarantined(2), {**quarantined(3), "platform": "b"}]},
    )
    with pytest.raises(AuditError) as error:
        check(home)
    assert str(error.value).startswith(
        f"accounting ds={DAY} platform=b: expected quarantined = 1 (rows of staged quarantine), found 0"
    )


def test_landed_rows_that_vanish_are_refused(home: Settings) -> None:
    stage_clean(home, landed=7)
    with pytest.raises(AuditError) as error:
        check(home)
    assert str(error.value) == (
        f"accounting ds={DAY}: expected rows_landed = 7 (rows of published raw_events), found 6; run clean again"
    )


def test_unpublished_raw_events_are_named(home: Settings) -> None:
    stage_clean(home)
    stage(home, "accounting", {NEXT: []}, run="r2")
    for table in ("events", "quarantine"):
        stage(home, table, {NEXT: []}, run="r2")
    with pytest.raises(AuditError) as error:
        check_accounting(home, "r2", staging.current(home, "accounting", "r2"))
    assert str(error.value) == (
        f"accounting ds={NEXT}: expected raw_events to be published, found it is not; run ingest first"
    )


def test_accounting_needs_the_tables_of_its_run(home: Settings) -> None:
    stage(home, "accounting", {DAY: [factory.SOUND["accounting"]]})
    with pytest.raises(StagingError, match="events: run 'r1' staged nothing"):
        check(home)
