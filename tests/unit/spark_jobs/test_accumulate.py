"""Histories: merged night by night, they equal the rebuild; cases show what they hold."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.runtime.days import day_range, shift
from pipeline.tables.registry import EVENTS, USER_HISTORY
from spark_jobs.states.history import EVENT_FIELDS, histories
from tests.unit.spark_jobs.published_rows import Row, as_polars, event

FIRST, LAST = "2011-03-01", "2011-03-08"
ACTIVE_DAYS, HISTORY_EVENTS = 3, 2  # small, so that window and cap bite within a week
KINDS = ("view", "purchase", "impression", "search")


@st.composite
def logs(draw: st.DrawFn) -> list[Row]:
    """Events of a few users, many of them late, some the same in all that a history keeps."""
    rows = []
    for _ in range(draw(st.integers(1, 25))):
        arrival = draw(st.sampled_from(day_range(FIRST, LAST)))
        late = timedelta(hours=draw(st.integers(0, 60)))
        time = datetime.fromisoformat(arrival).replace(tzinfo=UTC) + timedelta(hours=20) - late
        fields = {
            "user_id": draw(st.sampled_from("uv")),
            "platform": draw(st.sampled_from(["shop", "market"])),
            "event_type": draw(st.sampled_from(KINDS)),
            "quantity": draw(st.sampled_from([None, 1.0, 3.0])),
            "price": draw(st.sampled_from([None, 0.1, 19.99])),
        }
        rows.append(event(time.isoformat(), arrival_ds=arrival, **fields))
    return rows


def kernel_rows(rows: list[Row], past: pl.DataFrame | None) -> pl.DataFrame:
    """The rows as Spark hands them to the kernel: past histories and new events in one table."""
    new = as_polars(EVENTS, rows).rename({"account_id": "user_id"}).select("user_id", "platform", *EVENT_FIELDS)
    if past is None:
        past = as_polars(USER_HISTORY, [])
    packed = past.select("user_id", pl.exclude("ds", "user_id").name.prefix("past_"))
    return pl.concat([packed, new], how="diagonal")


def accumulated(rows: list[Row], days: list[str], past: pl.DataFrame | None) -> pl.DataFrame:
    found = histories(kernel_rows(rows, past), days, ACTIVE_DAYS, HISTORY_EVENTS)
    return found.select(USER_HISTORY.schema.names).sort("ds", "user_id")


def rebuilt(rows: list[Row], ds: str) -> pl.DataFrame:
    window = [row for row in rows if shift(ds, -ACTIVE_DAYS) < row["arrival_ds"] <= ds]
    return accumulated(window, [ds], None)


@given(logs())
@settings(max_examples=80, deadline=None)
def test_incremental_equals_rebuild(rows: list[Row]) -> None:
    past = None
    for ds in day_range(FIRST, LAST):
        past = accumulated([row for row in rows if row["arrival_ds"] == ds], [ds], past)
        assert past.to_dicts() == rebuilt(rows, ds).to_dicts()


@given(logs())
@settings(max_examples=40, deadline=None)
def test_range_equals_day_by_day(rows: list[Row]) -> None:
    days = day_range(shift(LAST, -2), LAST)
    oldest = shift(days[0], 1 - ACTIVE_DAYS)
    whole = accumulated([row for row in rows if row["arrival_ds"] >= oldest], days, None)
    assert whole.to_dicts() == [row for ds in days for row in rebuilt(rows, ds).to_dicts()]


@given(logs())
@settings(max_examples=40, deadline=None)
def test_row_exists_exactly_for_users_of_the_window(rows: list[Row]) -> None:
    users = {row["user_id"] for row in rows if row["arrival_ds"] > shift(LAST, -ACTIVE_DAYS)}
    assert set(rebuilt(rows, LAST)["user_id"]) == users
