"""Campaign segments: who belongs, and that nothing tells of fewer users than the floor."""

import pytest

from pipeline.decisions.segments.build_segments import build_segments
from pipeline.decisions.segments.segments import SEGMENTS, UNUSUAL, with_topics
from pipeline.runtime.errors import NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.storage.publish import publish
from pipeline.storage.reading import read
from pipeline.tables.registry import table_named
from tests.unit.pipeline import staged_factory as factory

Row = dict[str, object]
DAY = factory.DAY
FLOOR = 3
QUIET: Row = {"is_cold_start": False, "next_items": [], "next_new_items": []}


def users(number: int, first: int = 0, **changes: object) -> list[Row]:
    """Sound rows of `user_features` with `changes`; nothing of them is in a segment by itself."""
    sound = factory.SOUND["user_features"]
    flat = dict.fromkeys(("p_purchase_7d", "p_return_28d", "p_churn_28d"), 0.0)
    rows = ({**sound, **QUIET, **flat, "segment": "active", **changes} for _ in range(number))
    return [{**row, "user_id": f"{first + n:032x}"} for n, row in enumerate(rows)]


def put(settings: Settings, table: str, rows: list[Row]) -> None:
    manifest = factory.stage(settings, table, {DAY: rows}, run=f"{table}-1")
    factory.pass_audit(settings, manifest)
    publish(settings, table_named(table), manifest.run)


def built(home: Settings, rows: list[Row]) -> tuple[dict[str, int | None], dict[str, list[str]]]:
    """Sizes by segment, and the numbers of the members of each exported one."""
    settings = home.model_copy(update={"segment_floor": FLOOR})
    put(settings, "user_features", rows)
    build_segments(settings, DAY, "s")
    for table in ("segments", "segment_members"):
        (manifest,) = factory.staging.current(settings, table, "s")
        factory.pass_audit(settings, manifest)
        publish(settings, table_named(table), "s")
    sizes = {row["segment"]: row["users"] for row in read("segments", DAY, settings).to_pylist()}
    members: dict[str, list[int]] = {}
    for row in read("segment_members", DAY, settings).to_pylist():
        members.setdefault(row["segment"], []).append(int(row["user_id"], 16))
    return sizes, members


def test_members_meet_the_condition(home: Settings) -> None:
    """Due again tomorrow, today and in eight days: only the first is due in these 7 days."""
    due = {
        ds: [{"due_ds": ds, "cycle_days": 7.0, "topic_id": None, "item_id": "shop:1"}]
        for ds in ("2024-03-06", "2024-03-05", "2024-03-13")
    }
    rows = [
        *users(3, 0, due_again=due["2024-03-06"]),
        *users(3, 10, due_again=due["2024-03-05"]),
        *users(3, 20, due_again=due["2024-03-13"]),
        *users(4, 30, segment="fading"),
    ]
    sizes, members = built(home, rows)
    assert members == {
        "due_this_week": [0, 1, 2],
        "overdue": [10, 11, 12],
        "fading_regulars": [30, 31, 32, 33],
    }
    assert {name for name, size in sizes.items() if size} == set(members)
    assert sizes["fading_regulars"] == 4


def test_a_small_segment_is_named_without_size_and_members(home: Settings) -> None:
    sizes, members = built(home, [*users(2, 0, segment="fading"), *users(5, 10)])
    assert sizes["fading_regulars"] is None
    assert members == {}
    assert set(sizes) == {segment.name for segment in SEGMENTS}


@pytest.mark.parametrize(("others", "told"), [(FLOOR - 1, None), (FLOOR, 5), (0, 5)])
def test_all_but_a_few_users_are_as_telling_as_the_few(home: Settings, others, told) -> None:
    """Everyone is nobody in particular, though."""
    sizes, _ = built(home, [*users(5, 0, segment="fading"), *users(others, 10)])
    assert sizes["fading_regulars"] == told


def test_a_list_within_another_must_differ_by_enough(home: Settings) -> None:
    """Nine shift, eight of them to t0001: the ninth would be told by the difference."""
    moved = {"drift_stage": "shifting", "drift_from_topic": "t0003", "drift_since_ds": DAY}
    put(home, "topics", [{**factory.SOUND["topics"], "topic_id": t} for t in ("t0001", "t0002")])
    rows = [
        *users(8, 0, drift_to_topic="t0001", **moved),
        *users(1, 10, drift_to_topic="t0002", **moved),
        *users(9, 20),
    ]
    sizes, _ = built(home, rows)
    shown = (sizes["moving_on"], sizes["moving_to_t0001"], sizes["moving_to_t0002"])
    assert shown == (9, None, None)


def test_what_is_left_of_a_whole_is_large_enough(home: Settings) -> None:
    """Four to t0001, five to t0002, one to t0003: the last is what the first two leave of all, so
    the smaller of the two is withheld as well."""
    moved = {"drift_stage": "shifted", "drift_from_topic": "t0009", "drift_since_ds": DAY}
    topics = ("t0001", "t0002", "t0003")
    put(home, "topics", [{**factory.SOUND["topics"], "topic_id": topic} for topic in topics])
    rows = [
        row
        for place, (topic, number) in enumerate(zip(topics, (4, 5, 1), strict=True))
        for row in users(number, place * 10, drift_to_topic=topic, **moved)
    ]
    sizes, members = built(home, rows + users(9, 50))
    assert {name: sizes[f"moving_to_{name}"] for name in topics} == {
        "t0001": None,
        "t0002": 5,
        "t0003": None,
    }
    assert sizes["moving_on"] == 10
    assert set(members) == {"moving_on", "moving_to_t0002"}


def test_unusual_accounts_are_in_no_other_segment(home: Settings) -> None:
    odd = {"anomaly_reason": "busiest_day", "anomaly_score": 0.9, "segment": "fading"}
    sizes, members = built(home, [*users(3, 0, **odd), *users(4, 10, segment="fading"), *users(3, 20)])
    assert members[UNUSUAL.name] == [0, 1, 2]
    assert members["fading_regulars"] == [10, 11, 12, 13]
    assert sizes["fading_regulars"] == 4


def test_nulls_are_in_no_segment(home: Settings) -> None:
    """A row with nothing but what is required: no price, no drift, no review."""
    _, members = built(home, users(5))
    assert members == {}


def test_a_day_without_users_names_the_segments(home: Settings) -> None:
    sizes, members = built(home, [])
    assert set(sizes.values()) == {None}
    assert members == {}


def test_an_unpublished_day_is_refused(home: Settings) -> None:
    with pytest.raises(NotPublishedError, match=f"user_features ds={DAY}: not published"):
        build_segments(home, DAY, "s")


def test_a_name_of_a_topic_may_hold_anything() -> None:
    odd = with_topics([("t0001", 'it\'s · "50%"')])[-1]
    assert odd.meaning.endswith('it\'s · "50%"')
    assert odd.condition.endswith("drift_to_topic = 't0001'")


def test_names_are_unique_and_at_least_twelve() -> None:
    names = [segment.name for segment in SEGMENTS]
    assert len(set(names)) == len(names) >= 12
