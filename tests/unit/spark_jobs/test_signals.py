"""Behaviour signals: the same in any chunk, and what planted users get among plain ones."""

from datetime import timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from pipeline.tables.interests import ITEM_TOPICS, REVIEW_SENTIMENTS, USER_SIGNALS
from pipeline.tables.registry import ITEMS as ITEM_TABLE
from pipeline.tables.registry import USER_HISTORY
from spark_jobs.behaviour import signals as signals_module
from spark_jobs.behaviour.prices import usual_prices
from spark_jobs.behaviour.signals import learn_norms, profile
from tests.unit.spark_jobs.lives_of_users import DS, ITEMS, act, history, moment, plain_users
from tests.unit.spark_jobs.published_rows import Row, as_arrow

PLAIN = plain_users(120)


def profiled(rows: list[Row]) -> dict[str, Row]:
    states = history(rows)
    norms = learn_norms(states, ITEMS, DS)
    found = profile(states, usual_prices(ITEMS), norms, DS)
    return {row["user_id"]: row for row in found.to_dicts()}


@given(cuts=st.lists(st.integers(0, 40), max_size=4))
@settings(max_examples=15, deadline=None)
def test_chunks_do_not_matter(cuts: list[int]) -> None:
    states = history(plain_users(40))
    norms = learn_norms(states, ITEMS, DS)
    items = usual_prices(ITEMS)
    edges = [0, *sorted(cuts), 40]
    parts = [states[a:b] for a, b in pairwise(edges) if b > a]
    whole = profile(states, items, norms, DS)
    assert pl.concat([profile(part, items, norms, DS) for part in parts]).equals(whole)


@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_the_order_of_histories_does_not_matter(seed: int) -> None:
    states = history(PLAIN)
    shuffled = states.sample(fraction=1, shuffle=True, seed=seed)
    items = usual_prices(ITEMS)
    found = [profile(rows, items, learn_norms(rows, ITEMS, DS), DS).sort("user_id") for rows in (states, shuffled)]
    assert found[0].equals(found[1])


def test_plain_users_do_not_stand_out() -> None:
    noted = [row for row in profiled(PLAIN).values() if row["anomaly_reason"]]
    assert len(noted) <= 1  # of 120; one of a thousand is expected


def test_a_crawler_stands_out_by_its_pace_or_number() -> None:
    start = moment(3)
    rows = [act("b", n % 20, "view", start + timedelta(seconds=3 * n)) for n in range(600)]
    bot = profiled(PLAIN + rows)["b"]
    assert bot["anomaly_score"] > 0.6
    assert bot["anomaly_reason"] in ("busiest_day", "many_events_a_day", "fast_pace", "never_buys")


def test_a_reseller_stands_out_by_quantities() -> None:
    rows = [act("r", 4, "purchase", moment(ago), 40.0) for ago in (2, 12, 30)]
    reseller = profiled(PLAIN + rows)["r"]
    assert reseller["anomaly_score"] > 0.6
    assert reseller["anomaly_reason"] in ("large_quantities", "one_item_in_bulk")


def test_an_account_that_changes_hands_scores_above_its_like() -> None:
    """Two users with the same past; one goes on, the other buys dear things of others at night."""
    past = [
        act(user, 0, "view", moment(ago, 12 + n / 60))
        for user in ("x", "y")
        for ago in range(8, 60, 4)
        for n in range(3)
    ]
    goes_on = [act("x", 0, "view", moment(1, 12 + n / 60)) for n in range(3)]
    taken = [act("y", 15 + n % 5, "purchase", moment(1, 3 + n / 360), 5.0) for n in range(10)]
    found = profiled(PLAIN + past + goes_on + taken)
    assert found["y"]["anomaly_score"] > found["x"]["anomaly_score"] + 0.2


def test_a_million_events_are_read_from_a_capped_list() -> None:
    """The list holds 1,024 events, the daily counts all; the row is a row like any other."""
    rows = [act("m", n % 20, "view", moment(n % 300, 8 + n / 2000)) for n in range(3000)]
    states = history(PLAIN + rows)
    heavy = pl.col("user_id") == "m"
    counts = pl.col("daily").list.eval(
        pl.element().struct.with_fields(events=pl.element().struct.field("events") * 334)
    )
    states = states.with_columns(daily=pl.when(heavy).then(counts).otherwise("daily"))
    assert states.filter(heavy)["events"].list.len().item() == 1024
    norms = learn_norms(states, ITEMS, DS)
    found = profile(states, usual_prices(ITEMS), norms, DS)
    row = found.filter(heavy).to_dicts()[0]
    assert row["segment"] == "regular"
    assert row["usual_gap_days"] == 1
    assert row["anomaly_reason"] in ("busiest_day", "many_events_a_day")


def test_a_night_without_any_event_is_a_day_more_of_silence() -> None:
    """One comes on Sundays, the last is DS; another came every day until 20 days ago."""
    sundays = [act("w", 0, "purchase", moment(7 * week), 1.0) for week in range(6)]
    gone = [act("x", 0, "view", moment(ago)) for ago in range(20, 50)]
    states, items = history([*PLAIN, *sundays, *gone]), usual_prices(ITEMS)
    norms = learn_norms(states, ITEMS, DS)
    tonight, tomorrow = (profile(states, items, norms, ds) for ds in (DS, "2024-04-01"))
    assert tomorrow["user_id"].equals(tonight["user_id"])
    same = ["segment", "usual_gap_days", "is_regular", "due_again", "return_rate", "price_level"]
    assert tomorrow.select(same).tail(2).equals(tonight.select(same).tail(2))
    assert tonight["segment"].tail(2).to_list() == ["regular", "fading"]
    assert tonight["due_again"].tail(2).list.len().to_list() == [1, 0]
    before, after = (rows.filter(user_id="x")["fading"].item() for rows in (tonight, tomorrow))
    assert 0.99 < before < after


@pytest.mark.spark
@pytest.mark.parametrize("users", [0, 60])
def test_one_row_per_history(spark: SparkSession, users: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of no histories at all, and when what is usual is learned from some of the users."""
    monkeypatch.setattr(signals_module, "SAMPLE_USERS", 50)
    states = history(plain_users(users)) if users else history([])
    ids = pl.Series([f"{n * 71582788:08x}" for n in range(len(states))], dtype=pl.String)
    states = states.with_columns(user_id=ids)
    histories, items, topics, sentiments = (
        spark.createDataFrame(as_arrow(table, table_rows))
        for table, table_rows in (
            (USER_HISTORY, states.to_dicts()),
            (ITEM_TABLE, ITEMS.to_dicts()),
            (ITEM_TOPICS, ITEMS.to_dicts()),
            (REVIEW_SENTIMENTS, []),
        )
    )
    table = signals_module.signals(histories, items, topics.toArrow(), sentiments, DS)
    found = table.toArrow()
    assert sorted(found["user_id"].to_pylist()) == ids.to_list()
    assert set(found.column_names) == set(USER_SIGNALS.schema.names)
