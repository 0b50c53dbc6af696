"""Weekly paths, what they do, and the patterns that are named after it, by hand."""

import numpy as np
import pytest

from spark_jobs.interests.paths import (
    ARCHETYPES,
    WeeklyPaths,
    fit_centres,
    name_patterns,
    path_traits,
    weekly_paths,
)
from spark_jobs.interests.touches import Touches
from tests.unit.spark_jobs.touched import DAY0, touches

SEEDS = np.array([traits for _, traits in ARCHETYPES.values()])


def paths(*users: str) -> WeeklyPaths:
    """One letter per week: one active day on its Monday."""
    return weekly_paths(touches(*("......".join(weeks) for weeks in users)), 26)


def test_the_main_topic_is_that_of_most_days() -> None:
    # Monday to Sunday: a three times, b twice; then b and c once each: the first of equals
    found = weekly_paths(touches("aabba.." + "......." + "c.b"), 3)
    assert found.topic.tolist() == [0, 1]
    assert (found.week - (DAY0 + 3) // 7).tolist() == [0, 2]
    assert (DAY0 + 3) % 7 == 0  # FIRST is a Monday


def test_a_day_counts_once_however_many_topics_it_has() -> None:
    columns = ([0, 0, 0], [DAY0, DAY0, DAY0 + 1], [0, 1, 1], [0.6, 0.4, 0.1], [1, 1, 1])
    found = weekly_paths(Touches(1, *(np.array(column) for column in columns)), 2)
    assert found.topic.tolist() == [0]


def test_only_the_newest_weeks_are_kept() -> None:
    found = paths("ab" * 7, "", "c")
    assert found.length.tolist() == [13, 0, 1]
    assert found.start.tolist() == [0, 13, 13]
    assert found.topic.tolist() == [1, 0] * 6 + [1] + [2]


@pytest.mark.parametrize(
    ("weeks", "traits"),
    [
        ("aaaa", (0, 0, 0, 0)),
        ("aabb", (1 / 4, 1 / 3, 0, 0)),
        ("abab", (3 / 4, 1 / 3, 2 / 3, 0)),
        ("abcd", (3 / 4, 1, 0, 0)),
        ("abcddd", (3 / 4, 3 / 5, 0, -2 / 3)),  # three topics, then one
        ("aaabcd", (3 / 4, 3 / 5, 0, 2 / 3)),
        ("a", (0, 0, 0, 0)),
        ("", (0, 0, 0, 0)),
    ],
)
def test_traits(weeks: str, traits: tuple[float, ...]) -> None:
    assert path_traits(paths(weeks)).tolist() == [pytest.approx(traits)]


@pytest.mark.parametrize(
    ("weeks", "pattern"),
    [
        ("aaaaaaaa", "settled"),
        ("aaaabbbb", "moved_on"),
        ("abababab", "back_and_forth"),
        ("abcdefgh", "exploring"),
        ("abcaaaaa", "narrowing"),
        ("aaaaaabc", "widening"),
        ("aaa", None),
        ("", None),
    ],
)
def test_names(weeks: str, pattern: str | None) -> None:
    assert name_patterns(paths(weeks), SEEDS) == [pattern]


def test_centres_follow_the_users_and_keep_their_names() -> None:
    assert fit_centres(paths()).tolist() == SEEDS.tolist()
    random = np.random.default_rng(1)
    users = ["".join(random.choice(list("abc"), 10)) for _ in range(100)] + ["aaaaaaaaab"] * 50
    centres = fit_centres(paths(*users))
    assert np.abs(centres - SEEDS).max() > 0.05
    distance = ((centres[:, None] - SEEDS[None]) ** 2).sum(axis=2)
    assert distance.argmin(axis=1).tolist() == list(range(len(SEEDS)))
