"""Qini curve and areas against a table worked out by hand, and what holds for any ranking."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decisions.uplift.effects import difference_in_means
from pipeline.decisions.uplift.qini import qini, ranked
from tests.unit.pipeline.decisions.uplift.trials import drawn, trial

IN_ORDER = np.array([0.125, 0.375, 0.625, 0.875])


def test_by_hand() -> None:
    """treated 1, control 0, treated 0, control 1, in this order.

    Top 1: no control yet. Top 2: 2/4 (1 - 0). Top 3: 3/4 (1/2 - 0). All: 1/2 - 1/2.
    Trapezoids of width 1/4: (0 + 0)/2 + (0 + 1/2)/2 + (1/2 + 3/8)/2 + (3/8 + 0)/2 = 7/8.
    """
    found = qini(trial([1, 0, 1, 0], [1, 0, 0, 1]), IN_ORDER)
    assert found.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found.gains.tolist() == [0, 0, 0.5, 0.375, 0]
    assert found.auuc == pytest.approx(7 / 32)
    assert found.coefficient == pytest.approx(7 / 32)  # the straight line ends at 0


def test_by_hand_with_an_effect_on_all() -> None:
    """Everybody gains 1: the curve is the straight line but for its first point, where 1/4 lacks.

    gains 0, 0, 1/2, 3/4, 1; trapezoids (0 + 1/2 + 5/4 + 7/4) / 2 / 4 = 7/16, the line's 1/2.
    """
    found = qini(trial([1, 0, 1, 0], [1, 0, 1, 0]), IN_ORDER)
    assert found.gains.tolist() == [0, 0, 0.5, 0.75, 1]
    assert found.auuc == pytest.approx(7 / 16)
    assert found.coefficient == pytest.approx(-1 / 16)


def test_weights_are_inverse_propensities() -> None:
    """Of four treated the first was unlikely (1/4) and counts thrice as much as each other one."""
    uneven = replace(trial([1, 1, 0, 0], [1, 0, 0, 0]), propensity=np.array([0.25, 0.75, 0.5, 0.5]))
    assert uneven.weight.tolist() == pytest.approx([2, 2 / 3, 1, 1])
    found = qini(uneven, IN_ORDER)
    # treated: 2 of 2 2/3 weights have outcome 1; shares 2, 2 2/3, 3 2/3, 4 2/3 of 4 2/3
    assert found.shares.tolist() == pytest.approx([0, 3 / 7, 4 / 7, 11 / 14, 1])
    assert found.gains.tolist() == pytest.approx([0, 0, 0, 11 / 14 * 0.75, 0.75])
    assert difference_in_means(uneven).value == pytest.approx(0.75)


def test_ranks_are_within_folds_and_ties_fall_by_the_hash() -> None:
    uplift, fold = np.array([5.0, 1, 3, 3, 9, 9]), np.array([0, 0, 1, 1, 1, 1])
    place = np.array([0.9, 0.1, 0.7, 0.2, 0.5, 0.6])
    found = ranked(uplift, fold, place)
    assert found.tolist() == [0.25, 0.75, 0.875, 0.625, 0.125, 0.375]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(30, 200))
def test_every_ranking_ends_at_the_difference_in_means(seed: int, users: int) -> None:
    """And a ranking and its exponential draw the same curve."""
    made, _ = drawn(users, seed)
    rng = np.random.default_rng(seed)
    uplift, place = rng.normal(size=users), rng.random(users)
    fold = (place * 4).astype(int)
    found = qini(made, ranked(uplift, fold, place))
    assert found.gains[-1] == pytest.approx(difference_in_means(made).value)
    assert found.auuc == pytest.approx(found.coefficient + found.gains[-1] / 2)
    again = qini(made, ranked(np.exp(uplift), fold, place))
    assert again.gains.tolist() == found.gains.tolist()


def test_the_oracle_beats_chance_and_its_reverse_is_below_it() -> None:
    made, truth = drawn(4_000, 3)
    fold, place = np.zeros(4_000, int), np.random.default_rng(1).random(4_000)
    best, worst = (qini(made, ranked(sign * truth, fold, place)) for sign in (1, -1))
    # the half that gains 0.3 first: the curve is 0.3 u up to 0.15, and the area to the line 0.0375
    assert best.interval[0] < 0.0375 < best.interval[1]
    assert best.interval[0] > 0.02
    assert worst.interval[0] < -0.0375 < worst.interval[1] < -0.02
