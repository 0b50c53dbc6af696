"""Which version serves after an hour: the rules, with gains set by hand."""

import numpy as np
import pytest

from training.hourly.guard import gain, pooled, which_serves

NONE = (np.nan, np.nan, np.nan)
UP, DOWN, EVEN = (0.02, 0.01, 0.03), (-0.02, -0.03, -0.01), (0.001, -0.019, 0.021)


@pytest.mark.parametrize(
    ("users", "serving", "candidate", "older", "expected"),
    [
        (50, [], UP, NONE, "serve"),
        (49, [], UP, NONE, "wait"),
        (50, [], None, NONE, "wait"),
        (50, [], EVEN, NONE, "serve"),  # loses at most MARGIN at the lower bound
        (50, [], (0.001, -0.021, 0.023), NONE, "keep"),
        (50, [], (-0.001, -0.002, 0.001), NONE, "keep"),  # no gain
        (50, [], UP, (-0.01, -0.04, 0.02), "serve"),
        (50, [], UP, (-0.05, -0.08, -0.02), "keep"),  # forgets
        (50, [(50, DOWN)], UP, NONE, "rollback"),
        (49, [(49, DOWN)], UP, NONE, "wait"),
        (50, [(50, EVEN)], UP, NONE, "serve"),
    ],
)
def test_decisions(users: int, serving: list, candidate, older, expected: str) -> None:
    found = which_serves(users, serving, candidate, older)
    assert found.decision == expected
    serves = {"serve": "candidate", "rollback": "champion"}
    assert found.serves == serves.get(expected, "serving")


def test_small_losses_of_many_hours_add_up_to_a_rollback() -> None:
    little = (-0.01, -0.022, 0.002)
    assert which_serves(50, [(50, little)], None, NONE).decision == "wait"
    found = which_serves(50, [(50, little)] * 4, None, NONE)
    assert found.decision == "rollback" and "over 4 hours" in found.reason
    # Hours further back than RECENT do not count.
    long_ago = [(50, little)] * 2 + [(50, UP)] * 4 + [(50, DOWN)] * 50
    assert which_serves(50, long_ago, None, NONE).decision == "wait"


def test_hours_are_pooled_by_users() -> None:
    mean, low, high = pooled([(30, (0.3, 0.1, 0.5)), (10, (-0.1, -0.5, 0.3))])
    assert mean == pytest.approx(0.2)  # (30 x .3 - 10 x .1) / 40
    half = np.hypot(0.75 * 0.2, 0.25 * 0.4)  # shares of the half widths
    assert (low, high) == (pytest.approx(0.2 - half), pytest.approx(0.2 + half))
    assert np.isnan(pooled([])[0])


def test_a_gain_is_paired_and_a_loss_that_is_no_number_counts_against() -> None:
    old, new = np.array([3.0, 2.0, np.nan, 1.0]), np.array([2.5, 1.5, 9.0, 0.5])
    assert gain(new, old) == pytest.approx((0.5, 0.5, 0.5))
    assert gain(np.array([np.nan, np.inf]), np.array([1.0, 1.0]))[2] < -900
    assert gain(np.array([1.0]), np.array([np.inf]))[1] > 900  # what serves cannot answer
