"""Planted shifts and life spans, against shares worked out by hand."""

import numpy as np
import pytest

from pipeline.sources.sample.people import MARGIN_DAYS, NEVER, People, Shift, plant_people


def person(shift: Shift, **changes: int | float) -> People:
    """One person who has topics 1, 2, 3, shifts to 9 on day 40, with strength 0.8."""
    values = {
        "home": 0,
        "activity": 1.0,
        "thrift": 1.0,
        "joined": 5,
        "left": 100,
        "shift": shift,
        "new_topic": 9,
        "shift_day": 40,
        "shift_length": 1,
        "gone_day": NEVER,
        "strength": 0.8,
        **changes,
    }
    columns = {name: np.array([value]) for name, value in values.items()}
    return People(topics=np.array([[1, 2, 3]]), weights=np.array([[0.7, 0.2, 0.1]]), **columns)


@pytest.mark.parametrize(
    ("people", "day", "share"),
    [
        (person(Shift.NONE), 50, 0.0),
        (person(Shift.ABRUPT), 39, 0.0),
        (person(Shift.ABRUPT), 40, 0.8),
        (person(Shift.GRADUAL, shift_length=20), 39, 0.0),
        (person(Shift.GRADUAL, shift_length=20), 49, 0.4),  # 10 of 20 days
        (person(Shift.GRADUAL, shift_length=20), 70, 0.8),
        (person(Shift.REVIVAL, gone_day=10), 9, 0.0),
        (person(Shift.REVIVAL, gone_day=10), 10, 0.8),
        (person(Shift.REVIVAL, gone_day=10), 40, 0.0),
    ],
)
def test_shifted_share(people: People, day: int, share: float) -> None:
    found = people.shifted_share(np.array([0]), np.array([day]))
    assert found == pytest.approx([share])


@pytest.mark.parametrize(("day", "presence"), [(4, 0.0), (5, 1.0), (86, 1.0), (93, 0.5), (99, 0.25), (100, 0.0)])
def test_people_fade_before_they_leave(day: int, presence: float) -> None:
    assert person(Shift.NONE).presence(day) == pytest.approx([presence])


def test_topics_of_a_visit_follow_weights_and_shift() -> None:
    rng, visits = np.random.default_rng(1), np.zeros(20_000, dtype=int)
    topics = person(Shift.ABRUPT).draw_topic(rng, visits, visits + 50)
    shares = np.bincount(topics, minlength=24) / len(topics)
    # 0.94 of visits follow the taste: 0.7 x 0.2 stay with topic 1, 0.7 x 0.8 go to topic 9.
    noise = 0.06 / 24
    assert shares[1] == pytest.approx(0.94 * 0.14 + noise, abs=0.01)
    assert shares[9] == pytest.approx(0.94 * 0.56 + noise, abs=0.015)
    assert shares[2] == pytest.approx(0.94 * 0.20 + noise, abs=0.01)


def test_planted_people() -> None:
    people = plant_people(np.random.default_rng(1), 5_000, 90)
    assert all(len(set(row)) == 3 for row in people.topics.tolist())
    assert people.weights.sum(axis=1) == pytest.approx(np.ones(5_000))
    assert (people.weights[:, 2] > 0).all()
    shifting = people.shift != Shift.NONE
    assert 0.17 < shifting.mean() < 0.27
    assert (people.joined[shifting] + MARGIN_DAYS <= people.shift_day[shifting]).all()
    assert (people.left[shifting] >= people.shift_day[shifting] + MARGIN_DAYS).all()
    assert people.activity.max() > 8 * np.median(people.activity)
