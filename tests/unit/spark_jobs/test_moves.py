"""Accounts that join, leave and change persons: histories moved on from the day before equal those made anew."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.runtime.days import day_range, shift
from pipeline.tables.registry import EVENTS, USER_HISTORY
from spark_jobs.states.history import EVENT_FIELDS, histories
from spark_jobs.states.moves import moves
from tests.unit.spark_jobs.published_rows import Row, as_polars, event

DAYS = day_range("2011-03-01", "2011-03-06")
ACTIVE_DAYS, HISTORY_EVENTS = 3, 2  # small, so that window and cap bite within a week
ACCOUNTS = ("a", "b", "c", "d")
MAP = {"account_id": pl.String, "user_id": pl.String}
Map = dict[str, str]


def as_map(persons: Map) -> pl.DataFrame:
    return pl.DataFrame(sorted(persons.items()), MAP, orient="row")


@st.composite
def logs(draw: st.DrawFn) -> list[Row]:
    """Events of four accounts on one platform, some the same in all that a history keeps."""
    rows = []
    for _ in range(draw(st.integers(1, 20))):
        arrival = draw(st.sampled_from(DAYS))
        time = datetime.fromisoformat(arrival).replace(tzinfo=UTC) + timedelta(hours=draw(st.integers(0, 20)))
        fields = {
            "account_id": draw(st.sampled_from(ACCOUNTS)),
            "event_type": draw(st.sampled_from(["view", "purchase", "impression"])),
            "quantity": draw(st.sampled_from([None, 1.0, 3.0])),
            "price": draw(st.sampled_from([None, 0.1, 19.99])),
        }
        rows.append(event(time.isoformat(), arrival_ds=arrival, **fields))
    return rows


MAPS = st.lists(
    st.dictionaries(st.sampled_from(ACCOUNTS), st.sampled_from(["P", "Q"])), min_size=len(DAYS), max_size=len(DAYS)
)


def users_events(rows: list[Row], persons: pl.DataFrame) -> pl.DataFrame:
    events = as_polars(EVENTS, rows).join(persons, on="account_id", how="left")
    named = events.with_columns(user_id=pl.coalesce("user_id", "account_id"))
    return named.select("user_id", "account_id", "platform", *EVENT_FIELDS)


def accumulated(past: pl.DataFrame, events: pl.DataFrame, ds: str) -> pl.DataFrame:
    packed = past.select("user_id", pl.exclude("ds", "user_id").name.prefix("past_"))
    rows = pl.concat([packed, events.drop("account_id")], how="diagonal")
    found = histories(rows, [ds], ACTIVE_DAYS, HISTORY_EVENTS)
    return found.select(USER_HISTORY.schema.names).sort("user_id")


def window(rows: list[Row], ds: str) -> list[Row]:
    return [row for row in rows if shift(ds, -ACTIVE_DAYS) < row["arrival_ds"] <= ds]


def next_night(past: pl.DataFrame, rows: list[Row], before: pl.DataFrame, now: pl.DataFrame, ds: str) -> pl.DataFrame:
    """What `accumulate_history` does with the moves of a night."""
    found = moves(before, now)
    kept = past.join(found.dropped, on="user_id", how="anti").join(found.renamed, on="user_id", how="left")
    named = kept.with_columns(user_id=pl.coalesce("person", "user_id")).drop("person")
    todays = users_events([row for row in rows if row["arrival_ds"] == ds], now)
    theirs = users_events(window(rows, ds), now).join(found.accounts, on="account_id", how="semi")
    return accumulated(named, pl.concat([todays.join(found.rebuilt, on="user_id", how="anti"), theirs]), ds)


@given(logs(), MAPS)
@settings(max_examples=150, deadline=None)
def test_moved_on_equals_made_anew(rows: list[Row], maps: list[Map]) -> None:
    nothing = as_polars(USER_HISTORY, [])
    past, before = nothing, as_map({})
    for ds, persons in zip(DAYS, maps, strict=True):
        now = as_map(persons)
        past = next_night(past, rows, before, now, ds)
        assert past.to_dicts() == accumulated(nothing, users_events(window(rows, ds), now), ds).to_dicts()
        before = now


def shown(before: Map, now: Map) -> tuple[list, list, list, list]:
    """renamed, dropped, rebuilt and accounts of the moves, in order."""
    found = moves(as_map(before), as_map(now))
    return tuple(sorted(frame.rows()) for frame in (found.renamed, found.dropped, found.rebuilt, found.accounts))


def test_accounts_that_join_take_their_history_along() -> None:
    assert shown({}, {"a": "P", "b": "P"}) == ([("a", "P"), ("b", "P")], [], [], [])
    assert shown({"a": "P"}, {"a": "P", "b": "P"}) == ([("b", "P")], [], [], [])
    assert shown({"a": "P", "b": "Q"}, {"a": "P", "b": "P"}) == ([("Q", "P")], [], [], [])
    assert moves(as_map({"a": "P"}), as_map({"a": "P"})).none


def test_where_accounts_part_everybody_concerned_is_made_anew() -> None:
    """b leaves P: P and b. b moves on to Q, which c has too: P and Q, with all that is theirs."""
    assert shown({"a": "P", "b": "P"}, {"a": "P"}) == ([], [("P",)], [("P",), ("b",)], [("a",), ("b",)])
    assert shown({"a": "P", "b": "P", "c": "Q"}, {"a": "P", "b": "Q", "c": "Q"}) == (
        [],
        [("P",), ("Q",)],
        [("P",), ("Q",)],
        [("a",), ("b",), ("c",)],
    )


def test_the_only_account_of_a_person_takes_the_history_along() -> None:
    assert shown({"a": "P"}, {}) == ([("P", "a")], [], [], [])
    assert shown({"a": "P"}, {"a": "Q"}) == ([("P", "Q")], [], [], [])
