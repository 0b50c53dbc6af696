"""Sessions: the properties that hold for any events; `tests/cases/sessions` shows the rules."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.runtime.days import day_range, shift
from pipeline.runtime.errors import SourceError
from pipeline.tables.registry import EVENTS
from spark_jobs.events.sessions import LOOKBACK_DAYS, account_sessions
from tests.unit.spark_jobs.published_rows import Row, as_polars, event

GAP, LONGEST = timedelta(minutes=30), timedelta(hours=24)
ZONES = {"shop": "UTC", "london": "Europe/London", "shanghai": "Asia/Shanghai"}
BEGIN = datetime(2011, 3, 26, tzinfo=UTC)  # clocks go forward in London on the 27th
FIRST, LAST = "2011-03-26", "2011-04-03"


@st.composite
def logs(draw: st.DrawFn) -> list[Row]:
    """Events of a few users, in bursts and alone, some late, some ahead of the clock."""
    rows = []
    for number in range(draw(st.integers(1, 40))):
        platform = draw(st.sampled_from(sorted(ZONES)))
        minutes = draw(st.one_of(st.integers(0, 7 * 1440), st.integers(0, 300)))
        time = BEGIN + timedelta(minutes=minutes)
        local = time.astimezone(ZoneInfo(ZONES[platform])).date().isoformat()
        late = draw(st.sampled_from([0, 0, 0, 0, -1, 1, 2]))
        arrival = max(FIRST, shift(local, late))
        rows.append(
            event(
                time.isoformat(),
                event_id=f"{number:032x}",
                account_id=draw(st.sampled_from("uv")),
                platform=platform,
                arrival_ds=arrival,
                ds=arrival,
                item_id=draw(st.sampled_from([None, "a", "b"])),
            )
        )
    return draw(st.permutations(rows))


def load(rows: list[Row], first: str, last: str) -> pl.DataFrame:
    """What the job emits for a range: it sees `LOOKBACK_DAYS` before it and nothing after it."""
    seen = [row for row in rows if shift(first, -LOOKBACK_DAYS) <= row["arrival_ds"] <= last]
    sessions = account_sessions(as_polars(EVENTS, seen), ZONES, GAP, LONGEST).drop("session")
    return sessions.filter(pl.col("ds").is_between(pl.lit(first), pl.lit(last)))


def in_order(sessions: pl.DataFrame) -> list[Row]:
    return sessions.sort("ds", "platform", "account_id", "started_at", "is_late").to_dicts()


@given(logs())
@settings(max_examples=60, deadline=None)
def test_range_equals_day_by_day(rows: list[Row]) -> None:
    nights = pl.concat([load(rows, ds, ds) for ds in day_range(FIRST, LAST)])
    assert in_order(load(rows, FIRST, LAST)) == in_order(nights)


@given(logs())
@settings(max_examples=60, deadline=None)
def test_each_event_is_in_exactly_one_session(rows: list[Row]) -> None:
    sessions = load(rows, FIRST, "2011-04-10")  # by then all of them have closed
    assert sessions["events"].sum() == len(rows)
    assert sessions["duration_seconds"].max() < LONGEST.total_seconds()


@given(logs())
@settings(max_examples=30, deadline=None)
def test_order_of_rows_does_not_matter(rows: list[Row]) -> None:
    by_id = sorted(rows, key=lambda row: row["event_id"])
    assert in_order(load(rows, FIRST, LAST)) == in_order(load(by_id, FIRST, LAST))


def test_chain_of_48_hours_is_cut_alike_by_nights_and_range() -> None:
    """Activity every 20 minutes, rows that arrive a day ahead of their own: the whole lookback."""
    times = [BEGIN + timedelta(hours=23, minutes=20 * step) for step in range(48 * 3)]
    ahead = [shift(time.date().isoformat(), -1) for time in times]
    rows = [
        event(time.isoformat(), event_id=f"{number:032x}", arrival_ds=ds)
        for number, (time, ds) in enumerate(zip(times, ahead, strict=True))
    ]
    nights = pl.concat([load(rows, ds, ds) for ds in day_range("2011-03-25", LAST)])
    whole = load(rows, "2011-03-25", LAST)
    assert whole["events"].to_list() == [72, 72]
    assert in_order(nights) == in_order(whole)


def test_platform_without_source_is_refused() -> None:
    rows = as_polars(EVENTS, [event("2011-03-26T10:00", platform="gone")])
    with pytest.raises(SourceError, match="found gone; their source file gives the time zone"):
        account_sessions(rows, ZONES, GAP, LONGEST)
