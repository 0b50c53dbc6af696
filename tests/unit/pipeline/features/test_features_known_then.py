"""features.as_of with late events and republished days: what was known then, and nothing else."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.erasure.data_files import holding, table_files
from pipeline.erasure.published import Erasing, erase_rows
from pipeline.erasure.snapshots import forget_snapshots
from pipeline.features.as_of_join import as_of
from pipeline.features.point_in_time import State, Timeline, by_publication, day_end, microseconds
from pipeline.runtime.days import shift
from pipeline.runtime.errors import NotPublishedError, UsageError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema, load_table
from pipeline.storage.files import write_day
from pipeline.storage.publications import Publication, publications_at
from pipeline.storage.publish import publish
from pipeline.storage.retention import Needs, remove
from pipeline.storage.rollback import rollback
from pipeline.storage.unpublish import unpublish
from pipeline.tables.registry import EVENTS, USER_FEATURES, USER_HISTORY
from spark_jobs.states.history import EVENT_FIELDS, histories
from tests.unit.pipeline.features.feature_days import ANN, BOB, features, publish_days
from tests.unit.pipeline.features.test_features_as_of import FRI, MON, TUE, WED, frame, recency
from tests.unit.pipeline.staged_factory import arrow, pass_audit


def just(nanoseconds: int, milliseconds: int) -> datetime:
    """So long after (before, when negative) a publication."""
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC) + timedelta(milliseconds=milliseconds)


def labels(*times: datetime, user: str = ANN) -> pa.Table:
    stamps = pa.array(times, pa.timestamp("us", "UTC"))
    return pa.table({"user_id": [user] * len(times), "event_timestamp": stamps})


def as_published(*times: datetime) -> list[int | None]:
    found = as_of(labels(*times), ["recency_days"], known="publication", max_age=None)
    return recency(found)


def republish(home: Settings, run: str, ds: str, value: int) -> Publication:
    return publish_days(home, run, {ds: [features(ANN, ds, recency_days=value)]})[ds]


def test_a_late_event_is_seen_when_it_had_arrived(home: Settings) -> None:
    """Ann's purchase of Monday evening arrives on Wednesday. On Tuesday nobody could know it."""

    def event(time: str, arrival: str, kind: str) -> dict[str, object]:
        return {
            "account_id": ANN,
            "platform": "shop",
            "item_id": "shop:1",
            "event_type": kind,
            "event_time": datetime.fromisoformat(time).replace(tzinfo=UTC),
            "arrival_ds": arrival,
            "quantity": 1.0,
            "price": 2.0,
        }

    rows = [
        event(f"{MON}T09:00", MON, "view"),
        event(f"{MON}T20:00", WED, "purchase"),
        event(f"{TUE}T11:00", TUE, "cart"),
    ]
    new = pl.from_arrow(pa.Table.from_pylist(rows, schema=EVENTS.schema.remove_metadata()))
    past = pl.from_arrow(USER_HISTORY.schema.empty_table()).select(
        "user_id", pl.exclude("ds", "user_id").name.prefix("past_")
    )
    kernel = pl.concat(
        [past, new.select(pl.col("account_id").alias("user_id"), "platform", *EVENT_FIELDS)], how="diagonal"
    )
    states = histories(kernel, [MON, TUE, WED], 365, 100)
    days = {ds: states.filter(ds=ds).to_dicts() for ds in (MON, TUE, WED)}
    publish_days(home, "r1", days, table="user_history")
    found = as_of(
        frame((ANN, f"{TUE}T10:00Z"), (ANN, f"{WED}T23:59Z"), (ANN, "2024-03-07T00:00Z")),
        ["events"],
        table="user_history",
    )
    kinds = [[it["event_type"] for it in events] for events in found["events"].to_pylist()]
    assert kinds == [["view"], ["view", "cart"], ["view", "purchase", "cart"]]


def test_publication_time_rules_where_it_is_asked_for(home: Settings) -> None:
    """Monday's features are published now, years after: a label of Tuesday could not see them."""
    first = republish(home, "r1", MON, 1)
    rows = frame((ANN, f"{TUE}T10:00:00Z"))
    assert recency(as_of(rows, ["recency_days"])) == [1]
    assert recency(as_of(rows, ["recency_days"], known="publication")) == [None]
    assert as_published(just(first.published, -5), just(first.published, 5)) == [None, 1]


def test_a_repaired_day_is_seen_as_it_was_before_the_repair(home: Settings) -> None:
    first = republish(home, "r1", TUE, 1)
    repair = republish(home, "r2", TUE, 2)
    times = (just(first.published, 1), just(repair.published, -1), just(repair.published, 1))
    assert as_published(*times) == [1, 1, 2]
    assert recency(as_of(frame((ANN, f"{WED}T10:00:00Z")), ["recency_days"])) == [2]


def test_a_repair_of_an_older_day_hides_no_newer_one(home: Settings) -> None:
    republish(home, "r1", MON, 1)
    newer = republish(home, "r2", TUE, 2)
    repair = republish(home, "r3", MON, 3)
    assert as_published(just(newer.published, 1), just(repair.published, 1)) == [2, 2]


def erase_bob(home: Settings) -> None:
    work = Erasing(home, frozenset([BOB]), "erasure-x")
    erase_rows(work, USER_FEATURES)
    forget_snapshots(home, USER_FEATURES, set(holding(USER_FEATURES, table_files(home, USER_FEATURES), work.users)))


def twice_with_bob(home: Settings) -> list[int]:
    """Tuesday of Ann (2, then 3) and Bob, published twice; returns when."""
    rows = ([features(ANN, TUE, recency_days=n), features(BOB, TUE)] for n in (2, 3))
    found = [publish_days(home, f"r{n}", {TUE: both}) for n, both in enumerate(rows, start=2)]
    return [days[TUE].published for days in found]


def test_what_an_erasure_took_from_between_is_refused_not_guessed(home: Settings) -> None:
    """Bob is in the second and third publication of Tuesday: nothing of the second is left."""
    first = republish(home, "r1", TUE, 1)
    second, third = twice_with_bob(home)
    erase_bob(home)
    assert as_published(just(first.published, -1), just(third, 1)) == [None, 3]
    with pytest.raises(NotPublishedError, match="has expired"):
        as_published(just(second, 1))
    republish(home, "r4", MON, 4)
    assert as_published(just(third, 1)) == [3]


def test_an_erasure_takes_nothing_from_days_that_were_published_before(home: Settings) -> None:
    republish(home, "r1", TUE, 1)
    newer = republish(home, "r5", WED, 5)
    second, third = twice_with_bob(home)
    erase_bob(home)
    times = (just(newer.published, 1), just(second, 1), just(third, 1))
    assert as_published(*times) == [5, 5, 5]


def test_a_rollback_is_a_publication_too(home: Settings) -> None:
    republish(home, "r1", TUE, 1)
    wrong = republish(home, "r2", TUE, 2)
    back = rollback(home, USER_FEATURES, TUE)
    assert as_published(just(wrong.published, 1), just(back.published, 1)) == [2, 1]


def test_what_a_day_held_is_not_made_up_when_its_snapshot_is_gone(home: Settings) -> None:
    first = republish(home, "r1", TUE, 1)
    repair = republish(home, "r2", TUE, 2)
    iceberg = load_table(home, USER_FEATURES)
    assert iceberg is not None
    iceberg.maintenance.expire_snapshots().older_than(datetime.now(UTC)).commit()
    assert as_published(just(first.published, -5), just(repair.published, 5)) == [None, 2]
    with pytest.raises(NotPublishedError, match=f"user_features ds={TUE}: was published again"):
        as_published(just(first.published, 1))


def test_an_unpublished_day_is_what_readers_had_until_then(home: Settings) -> None:
    republish(home, "r1", MON, 1)
    second = republish(home, "r2", TUE, 2)
    seen = _snapshot(home)
    unpublish(home, USER_FEATURES, TUE)
    between, without = datetime.now(UTC) + timedelta(milliseconds=1), _snapshot(home)
    time.sleep(0.01)
    third = republish(home, "r3", TUE, 3)
    assert as_published(just(second.published, 1), between, just(third.published, 1)) == [2, 1, 3]
    iceberg = load_table(home, USER_FEATURES)
    assert iceberg is not None
    assert [list(publications_at(iceberg, it)) for it in (seen, without)] == [[MON, TUE], [MON]]


def test_days_that_maintenance_took_out_are_refused_not_passed_over(home: Settings) -> None:
    first, second, third = (republish(home, f"r{n}", ds, n) for n, ds in enumerate((MON, TUE, WED)))
    remove(home.model_copy(update={"keep": "user_features=3"}), USER_FEATURES, Needs())
    for n, ds in enumerate((FRI, "2024-03-09"), start=3):
        newest = republish(home, f"r{n}", ds, n)
    assert remove(home.model_copy(update={"keep": "user_features=3"}), USER_FEATURES, Needs()) == [MON, TUE]
    assert as_published(just(third.published, 1), just(newest.published, 1)) == [2, 4]
    iceberg = load_table(home, USER_FEATURES)
    assert iceberg is not None
    iceberg.maintenance.expire_snapshots().older_than(datetime.now(UTC)).commit()
    for lost in (first, second):
        with pytest.raises(NotPublishedError, match="maintenance has removed it"):
            as_published(just(lost.published, 1))
    assert as_published(just(third.published, 1)) == [2]


def _snapshot(home: Settings) -> int:
    iceberg = load_table(home, USER_FEATURES)
    assert iceberg is not None and iceberg.metadata.current_snapshot_id
    return iceberg.metadata.current_snapshot_id


def test_once_published_days_stay_known_without_their_snapshots(home: Settings) -> None:
    first = republish(home, "r1", TUE, 1)
    second = republish(home, "r2", WED, 2)
    iceberg = load_table(home, USER_FEATURES)
    assert iceberg is not None
    iceberg.maintenance.expire_snapshots().older_than(datetime.now(UTC)).commit()
    assert as_published(just(first.published, 1), just(second.published, 1)) == [1, 2]


def test_a_user_who_left_has_no_features_from_before(home: Settings) -> None:
    """Wednesday was known and had no row of Bob, who was inactive for too long by then."""
    publish_days(home, "r1", {TUE: [features(ANN, TUE), features(BOB, TUE)]})
    publish_days(home, "r2", {WED: [features(ANN, WED)]})
    found = as_of(frame((BOB, f"{WED}T10:00Z"), (BOB, f"{FRI}T10:00Z")), ["recency_days"])
    assert recency(found) == [0, None]


def test_a_day_without_rows_is_known_and_empty(home: Settings) -> None:
    publish_days(home, "r1", {TUE: [features(ANN, TUE)], WED: []})
    assert recency(as_of(frame((ANN, f"{FRI}T10:00Z")), ["recency_days"])) == [None]


def test_a_column_declared_since_is_null_in_older_days(home: Settings) -> None:
    """Tuesday was published by version 1.0, which knew nothing of drift, nor of `model_ds`."""
    columns = tuple(column for column in USER_FEATURES.columns if column.since == "1.0")
    older = replace(USER_FEATURES, columns=columns, version="1.0")
    attempt = staging.begin(home, older.name, "r1")
    rows = arrow(older.name, [features(ANN, TUE, recency_days=2)]).select(older.schema.names)
    files = {TUE: [write_day(attempt.day(TUE), rows, file_schema(home, older))]}
    pass_audit(home, staging.complete(attempt, [TUE], files))
    publish(home, older, "r1")
    asked = frame((ANN, f"{WED}T10:00:00Z"), (ANN, "2024-03-07T10:00:00Z"))
    before = as_of(asked, ["recency_days", "drift_score", "p_churn_7d"])
    assert (recency(before), before["drift_score"].to_pylist()) == ([2, 2], [None, None])
    publish_days(home, "r2", {WED: [features(ANN, WED, recency_days=3, drift_score=0.5)]})
    after = as_of(asked, ["recency_days", "drift_score"])
    assert (recency(after), after["drift_score"].to_pylist()) == ([2, 3], [None, 0.5])


def test_a_delay_and_publication_do_not_go_together(home: Settings) -> None:
    republish(home, "r1", TUE, 1)
    with pytest.raises(UsageError, match="'publication' without delay"):
        as_of(frame((ANN, None)), known="publication", delay=timedelta(hours=1))


@given(st.lists(st.integers(0, 50), max_size=8, unique=True), st.lists(st.integers(-5, 60)))
@hypothesis_settings(deadline=None)
def test_a_timeline_gives_the_newest_state_that_began(begins: list[int], times: list[int]) -> None:
    timeline = Timeline(sorted(begins), [State(str(begin)) for begin in sorted(begins)])
    for at, found in zip(times, timeline.at(np.array(times, np.int64)), strict=True):
        begun = [begin for begin in begins if begin <= at]
        assert (timeline.states[found].ds if found >= 0 else None) == (str(max(begun)) if begun else None)


def test_publications_are_told_in_order(home: Settings) -> None:
    first, second = republish(home, "r1", TUE, 1), republish(home, "r2", MON, 2)
    iceberg = load_table(home, USER_FEATURES)
    assert iceberg is not None
    timeline = by_publication(iceberg, {"UTC"})
    assert timeline.since == [-(-it.published // 1000) for it in (first, second)]
    assert [state.ds for state in timeline.states] == [TUE, TUE]


@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "Pacific/Apia", "America/New_York"])
def test_days_end_in_order_and_where_the_next_begins(zone: str) -> None:
    ds = "2011-12-25"  # Apia left out 2011-12-30
    for _ in range(400):
        assert day_end(ds, [zone]) <= day_end(shift(ds, 1), [zone])
        ds = shift(ds, 1)
    assert day_end("2024-03-05", ["UTC"]) == microseconds(datetime(2024, 3, 6, tzinfo=UTC))
