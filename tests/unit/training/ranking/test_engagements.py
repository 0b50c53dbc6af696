"""Engagements by hand, and what a later arrival must not change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.training.ranking.crowd import AS_OF, ITEMS, past
from training.ranking.engagements import engagements, mean_by, merged

pytestmark = pytest.mark.kernel

# user 0 turns to item 1 on days 9, 5 and 5 again, and to item 0 on day 5; user 1 to item 1 on day 2
EVENTS = [(0, 1, 9), (0, 1, 5), (0, 1, 5), (0, 0, 5), (1, 1, 2)]


def test_days_are_counted_once_and_ages_run_back_from_the_moment() -> None:
    known = engagements(past(EVENTS, users=2), np.arange(2), AS_OF, ITEMS)
    pairs = known.pairs
    assert pairs.row.tolist() == [0, 0, 1]
    assert pairs.item.tolist() == [0, 1, 1]
    assert pairs.days.tolist() == [1, 2, 1]
    assert pairs.newest.tolist() == [5, 5, 2]
    assert pairs.oldest.tolist() == [5, 9, 2]
    assert known.decayed(4.0).tolist() == [2**-1.25, 2**-1.25 + 2**-2.25, 2**-0.5]
    assert (known.matrix().toarray() == [[1, 1, 0], [0, 1, 0]]).all()


def test_places_run_from_the_newest_event_back() -> None:
    known = engagements(past(EVENTS, users=2), np.arange(2), AS_OF, ITEMS)
    found = list(zip(known.row, known.item, known.age, known.place, strict=True))
    assert found == [(0, 0, 5, 0), (0, 1, 5, 1), (0, 1, 9, 2), (1, 1, 2, 0)]
    assert known.pairs.place.tolist() == [0, 1, 0]


def test_the_days_of_a_user_are_its_visits() -> None:
    known = engagements(past(EVENTS, users=2), np.arange(2), AS_OF, ITEMS)
    assert known.visits.tolist() == [5, 9, 1024 + 2]


def test_what_arrives_after_the_moment_is_not_known() -> None:
    later = [(0, 2, -1), (1, 0, -3)]
    before = engagements(past(EVENTS, users=2), np.arange(2), AS_OF, ITEMS)
    after = engagements(past(EVENTS + later, users=2), np.arange(2), AS_OF, ITEMS)
    assert after.row.tolist() == before.row.tolist()
    assert after.item.tolist() == before.item.tolist()


def test_nobody_has_no_pairs() -> None:
    known = engagements(past([], users=2), np.arange(2), AS_OF, ITEMS)
    assert len(known.pairs.row) == len(known.visits) == len(known.decayed(30.0)) == 0
    assert known.matrix().shape == (2, ITEMS)


def test_means_leave_out_what_is_unknown() -> None:
    values = np.array([1.0, np.nan, 3.0, np.nan])
    found = mean_by(np.array([0, 0, 0, 1]), values, 3)
    assert found[0] == 2.0 and np.isnan(found[1:]).all()


events = st.lists(st.tuples(st.integers(0, 5), st.integers(0, ITEMS - 1), st.integers(0, 40)), max_size=40)


@given(events, st.integers(0, 6))
def test_shares_of_users_merge_to_the_whole(found: list[tuple[int, int, int]], cut: int) -> None:
    history = past(found, users=6)
    whole = engagements(history, np.arange(6), AS_OF, ITEMS)
    shares = [engagements(history, rows, AS_OF, ITEMS) for rows in (np.arange(cut), np.arange(cut, 6))]
    both = merged(shares, ITEMS)
    assert both.users == 6
    for name in ("row", "item", "age"):
        assert getattr(both, name).tolist() == getattr(whole, name).tolist()


@given(events, st.sets(st.integers(0, 5)))
def test_some_users_within_are_those_users_alone(found: list[tuple[int, int, int]], chosen: set[int]) -> None:
    history, rows = past(found, users=6), np.array(sorted(chosen), dtype=int)
    everything = np.ones(ITEMS, dtype=bool)
    inside = engagements(history, np.arange(6), AS_OF, ITEMS).within(rows, everything)
    alone = engagements(history, rows, AS_OF, ITEMS)
    assert inside.row.tolist() == alone.row.tolist()
    assert inside.item.tolist() == alone.item.tolist()
