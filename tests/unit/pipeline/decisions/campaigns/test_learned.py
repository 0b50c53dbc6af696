"""Policies with what they learned: segments, floors, what is published, retired arms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decisions.bandits.specification import Policy
from pipeline.decisions.campaigns.campaign import Arm
from pipeline.decisions.campaigns.contexts import FEATURES
from pipeline.decisions.campaigns.learned import AsPublished, Lesson, floored, learn
from tests.unit.pipeline.decisions.campaigns.test_feedback import campaign


def nobody() -> AsPublished:
    return AsPublished(np.empty(0, "S32"), np.empty(0, int), np.empty((0, 2)), np.ones(2) / 2, 0.0)


def lesson(segment: list[str], arm: list[int], reward: list[float]) -> Lesson:
    rows = len(arm)
    return Lesson(
        np.array([f"{n:032x}" for n in range(rows)], object),
        np.array(segment, object),
        np.zeros((rows, len(FEATURES))),
        np.array(arm, int),
        np.array(reward),
        np.ones(rows),
        np.zeros(rows, int),
    )


def shares(found, segments: list[str]) -> list[list[float]]:
    nobody = np.empty(len(segments), object)
    return found.of(nobody, np.array(segments, object), np.zeros((len(segments), 11))).tolist()


GREEDY = Policy("epsilon_greedy", epsilon=0.0)


def test_a_segment_learns_from_its_own_and_a_new_one_from_all() -> None:
    seen = lesson(["x", "x", "y", "y", "y"], [0, 1, 0, 1, 1], [1, 0, 0, 1, 1])
    found = learn(GREEDY, seen, campaign(exploration_floor=0.1), 0, nobody)
    # all together: red 1 of 2, blue 2 of 3
    assert shares(found, ["y", "x", "z"]) == [
        pytest.approx([0.1, 0.9]),
        pytest.approx([0.9, 0.1]),
        pytest.approx([0.1, 0.9]),
    ]


def test_nothing_seen_is_even() -> None:
    found = learn(GREEDY, lesson([], [], []), campaign(), 0, nobody)
    assert shares(found, ["x"]) == [[0.5, 0.5]]


def test_a_retired_arm_teaches_nothing_and_has_no_column() -> None:
    arms = (Arm("old", "old", retired=True), Arm("red", "r"), Arm("blue", "b"))
    seen = lesson([""] * 4, [0, 0, 1, 2], [1, 1, 0, 1])
    found = learn(GREEDY, seen, campaign(arms=arms, exploration_floor=0.0), 0, nobody)
    assert shares(found, [""]) == [[0, 1]]


def test_features_tell_people_apart() -> None:
    seen = lesson([""] * 400, [0, 1] * 200, [1.0, 0.0, 0.0, 1.0] * 100)
    seen.features[:, 0] = np.tile([1, 1, -1, -1], 100)
    found = learn(Policy("linucb"), seen, campaign(exploration_floor=0.0), 0, nobody)
    people = np.zeros((2, len(FEATURES)))
    people[:, 0] = [1, -1]
    assert found.of(np.empty(2, object), np.empty(2, object), people).tolist() == [[1, 0], [0, 1]]


def test_what_is_published_is_repeated_and_new_users_get_the_mean() -> None:
    users = np.array([b"a" * 32, b"c" * 32])
    table = np.array([[0.6, 0.4], [0.2, 0.8]], np.float32)  # the row of c stands first
    found = AsPublished(users, np.array([1, 0]), table, np.array([0.4, 0.6]), 0.1).of(
        np.array(["c" * 32, "b" * 32, "a" * 32], object), np.empty(3), np.empty((3, 0))
    )
    assert found == pytest.approx(np.array([[0.6, 0.4], [0.4, 0.6], [0.2, 0.8]]), abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.floats(0, 0.15))
def test_a_floor_is_kept_and_what_has_it_stays(shares, floor) -> None:
    total = sum(shares)
    chances = np.array([[share / total if total else 1 / len(shares) for share in shares]])
    found = floored(chances, floor)
    assert found.sum() == pytest.approx(1)
    assert found.min() >= floor * (1 - 1e-9)
    if chances.min() >= floor:
        assert found == pytest.approx(chances)
