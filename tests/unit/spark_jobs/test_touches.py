"""Days shared out among topics, by hand."""

import polars as pl
import pytest

from spark_jobs.interests.touches import Touches, find_touches
from tests.unit.spark_jobs.touched import history, touches

LISTS = {name: pl.List(pl.String) for name in ("items", "kinds", "days")}
TOPICS = pl.DataFrame({"item_id": ["a1", "a2", "b1"], "topic": [0, 0, 1]})
DAY = "1970-01-05"


def day(*events: tuple[str, str]) -> list[tuple[int, float, int]]:
    """Topic, part and events of one day of one user."""
    rows = [{"user_id": "u", **history([(*event, DAY) for event in events])}]
    frame = pl.DataFrame(rows, schema_overrides=LISTS)
    found = find_touches(frame, TOPICS).sort("topic")
    assert found["day"].to_list() == [4] * len(found)
    return list(found.select("topic", "part", "events").iter_rows())


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([("a1", "view")], [(0, 1.0, 1)]),
        ([("a1", "view")] * 30, [(0, 1.0, 30)]),
        # a purchase tells as much as three views: 1 / 4 and 3 / 4
        ([("a1", "view"), ("b1", "purchase")], [(0, 0.25, 1), (1, 0.75, 1)]),
        # two items of a topic add up: 2 / 4 and 2 / 4
        ([("a1", "view"), ("a2", "view"), ("b1", "cart")], [(0, 0.5, 2), (1, 0.5, 1)]),
        # a review alone is a weak sign of the day, beside a view a small part of it
        ([("a1", "review")], [(0, 0.25, 1)]),
        ([("a1", "review"), ("b1", "view")], [(0, 0.2, 1), (1, 0.8, 1)]),
        # returns tell nothing, nor do items without a topic, nor searches
        ([("a1", "return"), ("b1", "view")], [(1, 1.0, 1)]),
        ([("a1", "return")], []),
        ([("unknown", "purchase")], []),
        ([(None, "search")], []),
        ([("a1", "something new")], []),
    ],
)
def test_a_day(events: list[tuple[str, str]], expected: list[tuple[int, float, int]]) -> None:
    assert day(*events) == [(topic, pytest.approx(part), n) for topic, part, n in expected]


def test_users_without_events_keep_their_place() -> None:
    frame = pl.DataFrame(
        [
            {"user_id": "u", **history([])},
            {"user_id": "v", **history([("b1", "view", DAY)])},
        ],
        schema_overrides=LISTS,
    )
    found = Touches.of(find_touches(frame, TOPICS), len(frame))
    assert (found.users, found.user.tolist(), found.topic.tolist()) == (2, [1], [1])


def test_split_cuts_between_users() -> None:
    parts = list(touches("ab", "", "c", "dd", "a").split(2))
    assert [part.users for part in parts] == [2, 2, 1]
    assert [part.user.tolist() for part in parts] == [[0, 0], [0, 1, 1], [0]]
    assert [part.topic.tolist() for part in parts] == [[0, 1], [2, 3, 3], [0]]
    assert [part.users for part in touches().split(2)] == [0]
