"""A topic keeps its id while it is mostly the same; births, deaths, merges, splits are recorded."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.training.topics.nights import MONDAY, NEXT_MONDAY, TUESDAY, Town, kinds, of_kind
from training.topics.lineage import trace

pytestmark = pytest.mark.kernel


def traced(before: list[int], now: list[int]) -> tuple[dict, dict, dict]:
    found = trace(np.array(before), np.array(now), max(before) + 1, max(now) + 1)
    return found.kept, found.split, found.merged


@pytest.mark.parametrize(
    ("before", "now", "kept", "split", "merged"),
    [
        # renumbered clusters are the same topics
        ([0, 0, 1, 1], [1, 1, 0, 0], {1: 0, 0: 1}, {}, {}),
        # new items (-1) join, or make a cluster of their own that came out of nothing
        ([0, 0, 0, -1, -1, -1], [0, 0, 0, 0, 1, 1], {0: 0}, {}, {}),
        # the larger part keeps the id, the other came out of it
        ([0, 0, 0, 0, 0], [0, 0, 0, 1, 1], {0: 0}, {1: 0}, {}),
        # the larger of two that flow together goes on
        ([0, 0, 0, 1, 1], [0, 0, 0, 0, 0], {0: 0}, {}, {1: 0}),
        # items scatter over three clusters that are mostly others': the topic died
        ([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 1, 2], {0: 0, 1: 1, 2: 2}, {}, {}),
        # a third of a topic, together with a stranger's half, is a new topic
        ([0] * 6 + [1] * 4 + [-1] * 4, [0] * 4 + [1] * 2 + [2] * 4 + [1] * 4, {0: 0, 2: 1}, {}, {}),
    ],
)
def test_who_is_who(before: list, now: list, kept: dict, split: dict, merged: dict) -> None:
    assert traced(before, now) == (kept, split, merged)


@settings(max_examples=20, deadline=None)
@given(
    gone=st.sets(st.integers(0, 59), max_size=20),
    arrived=st.dictionaries(st.integers(60, 99), st.integers(0, 4), max_size=20),
    noise=st.sampled_from([0.05, 0.1, 0.15]),
    ds=st.sampled_from([TUESDAY, NEXT_MONDAY]),
)
def test_ids_outlast_new_removed_and_moved_items(
    gone: set[int], arrived: dict[int, int], noise: float, ds: str
) -> None:
    town = Town(topics=5)
    # ids in an order of their own, so that a removal renumbers the clusters
    name = {n: f"shop:{n * 7 % 100:02d}" for n in range(100)}
    first = town.night(MONDAY, {name[n]: n % 5 for n in range(60)})
    axes = {name[n]: n % 5 for n in range(60) if n not in gone}
    axes |= {name[n]: axis for n, axis in arrived.items()}
    topic_of = {n % 5: first[name[n]] for n in range(60)}
    assert len(set(topic_of.values())) == 5
    second = town.night(ds, axes, noise)
    left = set(axes.values())
    assert second == {item: topic_of[axis] for item, axis in axes.items()}
    ended = {topic for topic, row in town.rows.items() if row["ended_ds"]}
    assert ended == {topic for axis, topic in topic_of.items() if axis not in left}


def test_a_night_without_change_changes_nothing() -> None:
    town, axes = Town(topics=3), kinds(a=9, b=9, c=9)
    first = town.night(MONDAY, axes)
    rows = town.rows
    assert town.night(TUESDAY, axes) == first
    assert town.reason == ""
    assert town.rows == {topic: {**row, "ds": TUESDAY} for topic, row in rows.items()}


def test_a_new_kind_of_item_is_born_and_one_that_is_gone_dies() -> None:
    town = Town(topics=3)
    first = town.night(MONDAY, kinds(a=9, b=9, c=9))
    second = town.night(NEXT_MONDAY, kinds(a=9, b=9, d=9))
    assert [of_kind(second, kind) for kind in "ab"] == [of_kind(first, kind) for kind in "ab"]
    born, died = town.rows[of_kind(second, "d")], town.rows[of_kind(first, "c")]
    assert (born["born_ds"], born["split_from"]) == (NEXT_MONDAY, None)
    assert born["topic_id"].startswith(f"t{NEXT_MONDAY.replace('-', '')}")
    assert (died["ended_ds"], died["ended_how"], died["items"]) == (NEXT_MONDAY, "died", 0)
    town.topics = 4
    third = town.night("2024-06-17", kinds(a=9, b=9, c=9, d=9))
    assert of_kind(third, "c") not in {*first.values(), *second.values()}  # an id is never given again
    assert town.rows[died["topic_id"]] == {**died, "ds": "2024-06-17"}


def test_a_new_kind_of_item_takes_nobodys_place() -> None:
    # eight topics are wanted of 63 items; seven are left, because two were halves of one
    town, old = Town(), kinds(**dict.fromkeys("abcdefg", 9))
    first = town.night(MONDAY, old)
    assert len(set(first.values())) == 7
    second = town.night(NEXT_MONDAY, kinds(**dict.fromkeys("abcdefgh", 9)))
    assert second.items() >= first.items()
    assert town.rows[of_kind(second, "h")]["born_ds"] == NEXT_MONDAY
    assert [row for row in town.rows.values() if row["ended_ds"]] == []


def test_two_topics_that_become_alike_merge() -> None:
    town, axes = Town(topics=3), kinds(a=12, b=6, c=9)
    first = town.night(MONDAY, axes)
    town.topics = 2
    second = town.night(NEXT_MONDAY, {item: 0 if axis == 1 else axis for item, axis in axes.items()})
    assert of_kind(second, "a") == of_kind(second, "b") == of_kind(first, "a")
    gone = town.rows[of_kind(first, "b")]
    assert (gone["ended_how"], gone["merged_into"]) == ("merged", of_kind(first, "a"))
    assert gone["ended_ds"] == NEXT_MONDAY and gone["items"] == 0


def test_a_topic_whose_items_part_splits() -> None:
    town, axes = Town(topics=2), kinds(a=15, b=9)
    first = town.night(MONDAY, axes)
    town.topics = 3
    parted = {item: 5 if item >= "shop:a09" and axis == 0 else axis for item, axis in axes.items()}
    second = town.night(NEXT_MONDAY, parted)
    assert second["shop:a00"] == of_kind(first, "a")  # nine of fifteen
    assert second["shop:a09"] == second["shop:a14"] != second["shop:a00"]
    assert town.rows[second["shop:a09"]]["split_from"] == of_kind(first, "a")


def test_another_encoder_is_matched_by_items_alone() -> None:
    town, axes = Town(topics=4), kinds(a=9, b=9, c=9, d=9)
    first = town.night(MONDAY, axes)
    turned = {item: 11 - axis for item, axis in axes.items()}
    second = town.night(TUESDAY, turned, encoder="another")
    assert town.reason == "another text encoder"
    assert second == first
    assert {row["encoder"] for row in town.rows.values()} == {"another"}


def test_a_new_item_joins_the_nearest_topic_between_refreshes() -> None:
    town, axes = Town(topics=3), kinds(a=12, b=12, c=12)
    first = town.night(MONDAY, axes)
    second = town.night(TUESDAY, axes | {"shop:new": 1})
    assert town.reason == ""
    assert second == first | {"shop:new": of_kind(first, "b")}


@pytest.mark.parametrize("axes", [kinds(a=1), kinds(a=20), kinds(a=1, b=1)])
def test_few_or_equal_items(axes: dict[str, int]) -> None:
    town = Town()
    first = town.night(MONDAY, axes, noise=0)
    assert len(set(first.values())) == len(set(axes.values())) == len(town.rows)
    assert town.night(NEXT_MONDAY, axes, noise=0) == first


WEEKS = [f"2024-06-{day:02d}" for day in (3, 10, 17, 24)]  # Mondays: every night clusters again


@settings(max_examples=25, deadline=None)
@given(
    on_sale=st.lists(st.sets(st.sampled_from("abcdefgh"), min_size=2), min_size=4, max_size=4),
    order=st.permutations(WEEKS),
)
def test_ids_stay_unique_when_days_are_filled_in_out_of_order(on_sale: list[set[str]], order: list[str]) -> None:
    """Each night goes on from the newest earlier one that there is; at the end the nights run again in order."""
    axes = {ds: kinds(**dict.fromkeys(sorted(sold), 6)) for ds, sold in zip(WEEKS, on_sale, strict=True)}
    held: dict[str, Town] = {}

    def run(ds: str) -> None:
        before = max((day for day in held if day < ds), default=None)
        town = Town()
        town.last = held[before].last if before else None
        town.night(ds, axes[ds])
        held[ds] = town

    for ds in order:
        run(ds)
        rows = [row for town in held.values() for row in town.rows.values()]
        births = {(row["topic_id"], row["born_ds"]) for row in rows}
        assert len(births) == len({topic for topic, _ in births})  # an id is given on one day
        assert all(topic.startswith(f"t{born.replace('-', '')}") for topic, born in births)
    for ds in WEEKS:
        run(ds)
    fresh = Town()
    for ds in WEEKS:
        fresh.night(ds, axes[ds])
        assert held[ds].rows == fresh.rows


def test_numbers_that_meet_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.topics.topic_rows.BORN_A_DAY", 3)
    town = Town(topics=3)
    first = town.night(MONDAY, kinds(a=9, b=9, c=9))
    assert sorted(town.rows) == [f"t{20240603 * 3 + n}" for n in range(3)]
    assert town.night(NEXT_MONDAY, kinds(a=9, b=9, c=9)) == first


def test_topics_numbered_by_an_earlier_release_keep_their_ids() -> None:
    town = Town(topics=2)
    town.night(MONDAY, kinds(a=9, b=9))
    assert town.last is not None
    ds, rows, placed = town.last
    short = {topic: f"t{n:04d}" for n, topic in enumerate(sorted(row["topic_id"] for row in rows), 1)}
    topics = pa.array([short[topic] for topic in placed["topic_id"].to_pylist()])
    place = placed.schema.get_field_index("topic_id")
    town.last = (
        ds,
        [{**row, "topic_id": short[row["topic_id"]]} for row in rows],
        placed.set_column(place, placed.schema.field(place), topics),
    )
    second = town.night(NEXT_MONDAY, kinds(a=9, b=9))
    assert set(second.values()) == {"t0001", "t0002"}
