"""Duplicates and bots of drawn days, against loops that say the rules one by one."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.events.clean import BOT, BROWSING, DUPLICATE, NEEDED, SAME_DEED, verdicts

DAYS = ["2011-03-12", "2011-03-13", "2011-03-14"]  # New York's clocks change on the second
ZONES = {"shop": "America/New_York", "fair": "Asia/Kolkata"}  # the stall has none
NEAR = {"shop": 2.0, "fair": 0.0}
DEDUP_DAYS, PER_DAY, PER_MINUTE = 2, 4, 2
SCHEMA = {
    **dict.fromkeys(NEEDED, pl.String),
    "data_row": pl.Int64,
    "event_time": pl.Datetime("us", "UTC"),
    "quantity": pl.Float64,
    "price": pl.Float64,
}
Row = dict[str, Any]
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "ds": st.sampled_from(DAYS),
            "account_id": st.sampled_from(["a", "b"]),
            "platform": st.sampled_from(["shop", "shop", "fair", "stall"]),
            "item_id": st.sampled_from(["i", "j", None]),
            "event_type": st.sampled_from(["view", "view", "view", "purchase"]),
            "price": st.sampled_from([None, 1.0]),
            "minute": st.sampled_from([0, 0, 0, 299, 301, 1110]),
            "second": st.sampled_from([0, 1, 3, 6]),
            "copy": st.integers(0, 1),
        }
    ),
    max_size=40,
)


@given(ROWS, st.sampled_from([DAYS, DAYS[1:], DAYS[2:]]))
@settings(max_examples=300, deadline=None)
def test_as_the_rules_say(drawn: list[Row], days: list[str]) -> None:
    rows = [_row(number, **row) for number, row in enumerate(drawn)]
    frame = pl.DataFrame(rows, SCHEMA)
    found = verdicts(frame, days, DEDUP_DAYS, NEAR, ZONES, (PER_DAY, PER_MINUTE))
    assert dict(found.select("data_row", "verdict").iter_rows()) == _by_the_rules(rows, days)


def _row(number: int, minute: int, second: int, copy: int, **fields: Any) -> Row:
    time = datetime(2011, 3, 13, tzinfo=UTC) + timedelta(minutes=minute, seconds=second)
    content = f"{time} {copy} {[fields[name] for name in ('platform', 'item_id', 'event_type', 'price')]}"
    place = {"data_file": f"f{number % 2}", "data_row": number, "quantity": 1.0, "query": None}
    return {**place, "event_time": time, "event_id": content, **fields}


def _by_the_rules(rows: list[Row], days: list[str]) -> dict[int, str]:
    found = {}
    for row in rows:
        row["is_duplicate"] = _repeats(row, rows) or _is_near(row, rows)
    for row in rows:
        if row["ds"] in days and (verdict := DUPLICATE if row["is_duplicate"] else BOT if _is_bot(row, rows) else ""):
            found[row["data_row"]] = verdict
    return found


def _repeats(row: Row, rows: list[Row]) -> bool:
    before = _before(row, rows, ("account_id", "event_id"), ("ds", "data_file", "data_row"))
    return before is not None and _days_between(before, row) < DEDUP_DAYS


def _is_near(row: Row, rows: list[Row]) -> bool:
    order = ("ds", "event_time", "event_id", "data_file", "data_row")
    before = _before(row, rows, ("account_id", *SAME_DEED), order)
    limit = NEAR.get(row["platform"], 0)
    if before is None or not limit:
        return False
    apart = abs((row["event_time"] - before["event_time"]).total_seconds())
    return apart <= limit and _days_between(before, row) < DEDUP_DAYS


def _before(row: Row, rows: list[Row], same: tuple[str, ...], order: tuple[str, ...]) -> Row | None:
    """The row before, among those that are the same in some columns."""
    alike = [it for it in rows if all(it[name] == row[name] for name in same)]
    earlier = [it for it in alike if [it[name] for name in order] < [row[name] for name in order]]
    return max(earlier, key=lambda it: [it[name] for name in order], default=None)


def _days_between(before: Row, row: Row) -> int:
    return (date.fromisoformat(row["ds"]) - date.fromisoformat(before["ds"])).days


def _is_bot(row: Row, rows: list[Row]) -> bool:
    """By what the account browsed on the row's local day, of what had arrived on its arrival day and the one before."""
    browsed = [
        it["event_time"].replace(second=0)
        for it in rows
        if (it["account_id"], it["platform"], _local_day(it)) == (row["account_id"], row["platform"], _local_day(row))
        and it["event_type"] in BROWSING
        and not it["is_duplicate"]
        and _days_between(it, row) in (0, 1)
    ]
    return len(browsed) > PER_DAY or max(Counter(browsed).values(), default=0) > PER_MINUTE


def _local_day(row: Row) -> date:
    return row["event_time"].astimezone(ZoneInfo(ZONES.get(row["platform"], "UTC"))).date()
