"""Assignment, sample ratio, power, CUPED and sequential tests, by hand and by simulation."""

from math import exp, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decisions.experiments.assignment import assign, position
from pipeline.decisions.experiments.sequential import always_valid_interval, always_valid_p_values
from pipeline.decisions.experiments.statistics import (
    Difference,
    cuped,
    difference,
    gain_seen,
    ratio_p_value,
    users_needed,
)
from pipeline.runtime.errors import ExperimentError

USERS = [f"{number:032x}" for number in range(20_000)]


def test_assignment_is_a_published_hash() -> None:
    # printf 'spring:alice' | sha256sum begins with 0bba58950a3de (52 bits)
    assert position("alice", "spring") == int("0bba58950a3de", 16) / 2**52


def test_assignment_repeats_splits_by_share_and_leaves_the_rest_out() -> None:
    arm = assign(USERS, "spring", (0.5, 0.2))
    assert (arm == assign(USERS, "spring", (0.5, 0.2))).all()
    shares = [(arm == number).mean() for number in (0, 1, -1)]
    assert shares == pytest.approx([0.5, 0.2, 0.3], abs=0.015)


def test_salts_are_independent_and_a_share_that_grows_keeps_its_users() -> None:
    one, other = (assign(USERS, salt, (0.5, 0.5)) for salt in ("spring", "summer"))
    assert np.corrcoef(one, other)[0, 1] == pytest.approx(0, abs=0.03)
    small = assign(USERS, "spring", (0.1,)) == 0
    assert (assign(USERS, "spring", (0.3,))[small] == 0).all()


@pytest.mark.parametrize("shares", [(), (0.7, 0.5), (-0.1, 0.5)])
def test_shares_that_are_none_are_refused(shares) -> None:
    with pytest.raises(ExperimentError, match="assignment: expected a salt and shares"):
        assign(USERS[:1], "spring", shares)


def test_sample_ratio_by_hand() -> None:
    # (100^2 + 100^2) / 5000 = 4 with one degree of freedom
    assert ratio_p_value((5_100, 4_900), (0.5, 0.5)) == pytest.approx(0.0455, abs=1e-4)
    assert ratio_p_value((200, 100), (0.4, 0.2)) == 1.0
    assert ratio_p_value((5_300, 4_700), (0.5, 0.5)) < 1e-8


def test_power_by_hand() -> None:
    # (1.95996 + 0.84162)^2 * 1 * 4 / 0.01 = 3139.6
    assert users_needed(1.0, 0.1) == 3_140
    assert users_needed(1.0, 0.1, variance_gone=0.5) == 1_570
    assert users_needed(1.0, 0.1, (0.9, 0.1)) == 8_721  # 784.89 (1 / .9 + 1 / .1)
    assert gain_seen(1.0, 3_140) == pytest.approx(0.1, abs=1e-5)
    with pytest.raises(ExperimentError, match="power: expected a gain above 0"):
        users_needed(1.0, 0.0)


def test_the_difference_is_welchs() -> None:
    arm, metric = np.array([0, 0, 0, 1, 1]), np.array([1.0, 2, 3, 5, 7])
    found = difference(arm, metric)
    assert (found.value, found.control, found.treatment) == (4, 2, 6)
    assert found.error == pytest.approx(sqrt(1 / 3 + 2 / 2))
    assert found.interval() == pytest.approx((4 - 1.959964 * found.error, 4 + 1.959964 * found.error))
    assert difference(arm[:4], metric[:4]).p_value == 1.0


def test_an_arm_of_one_user_tells_nothing() -> None:
    found = difference(np.array([0, 0, 0, 1]), np.array([1.0, 2.0, 3.0, 9.0]))
    assert (found.value, found.error, found.p_value) == (7.0, np.inf, 1.0)
    assert difference(np.array([0, 0]), np.array([1.0, 2.0])).error == np.inf


def test_cuped_takes_away_what_the_time_before_foretold() -> None:
    before, noise = np.array([0.0, 1, 2, 3]), np.array([0.1, -0.1, -0.1, 0.1])
    adjusted, gone = cuped(3 * before + noise, before)
    # theta = 3, for the noise has no covariance; what is left is the mean and the noise
    assert adjusted == pytest.approx(4.5 + noise)
    assert gone == pytest.approx(1 - 0.01 / (9 * 1.25 + 0.01))
    same, nothing = cuped(noise, np.ones(4))
    assert (same == noise).all()
    assert nothing == 0


def look(value: float, error: float, users: int = 500) -> Difference:
    return Difference(value, error, 0.0, value, (users, users))


def test_the_mixture_ratio_by_hand() -> None:
    # s = .1, t = .2: sqrt(.01 / .05) exp(.04 * .09 / (2 * .01 * .05)) = .4472 * exp(3.6)
    [p_value] = always_valid_p_values([look(0.3, 0.1)], 0.2)
    assert p_value == pytest.approx(1 / (sqrt(0.2) * exp(3.6)))


def test_p_values_never_rise_and_too_few_users_tell_nothing() -> None:
    looks = [look(0.9, 0.1, users=49), look(0.3, 0.1), look(0.0, 0.09), look(0.4, 0.08)]
    found = always_valid_p_values(looks, 0.2)
    assert found[0] == 1.0
    assert found[1] == found[2] > found[3]


@given(st.floats(-1, 1), st.floats(0.01, 1), st.floats(0.01, 1))
def test_the_interval_and_the_p_value_say_the_same(value, error, spread) -> None:
    low, high = always_valid_interval(look(value, error), spread)
    [p_value] = always_valid_p_values([look(value, error)], spread)
    if abs(p_value - 0.05) > 1e-9:
        assert (p_value < 0.05) == (low > 0 or high < 0)


def test_looking_every_day_at_two_equal_arms() -> None:
    """300 A/A experiments of 20 looks: the naive test cries wolf, the always valid one does not."""
    rng, naive, valid = np.random.default_rng(11), 0, 0
    for _ in range(300):
        arm, metric = rng.integers(0, 2, 3_000), rng.exponential(1.0, 3_000)
        looks = [difference(arm[:end], metric[:end]) for end in range(150, 3_001, 150)]
        naive += min(it.p_value for it in looks) < 0.05
        valid += always_valid_p_values(looks, 0.1)[-1] < 0.05
    assert naive > 0.12 * 300
    assert valid <= 0.05 * 300
