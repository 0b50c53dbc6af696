"""Every policy: probabilities by hand, distributions for all inputs, floors, memory."""

from math import erf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decisions.bandits.bandits import RULES, probabilities, with_floor
from pipeline.decisions.bandits.best_arm import best_of_betas, best_of_normals
from pipeline.decisions.bandits.linear import LinearArms
from pipeline.decisions.bandits.specification import CONTEXTUAL, Policy
from pipeline.decisions.bandits.statistics import ArmStatistics, gather, memory_weights
from pipeline.runtime.errors import CampaignError


def statistics(shown: list[float], reward: list[float]) -> ArmStatistics:
    """One stratum of arms with rewards of 0 and 1."""
    return ArmStatistics(np.array([shown]), np.array([reward]), np.array([reward]))


SEEN = statistics([100.0, 50.0, 10.0], [10.0, 10.0, 1.0])  # means .1, .2, .1


def test_epsilon_greedy_by_hand() -> None:
    found = probabilities(Policy("epsilon_greedy", epsilon=0.3), SEEN)
    assert found.tolist() == [pytest.approx([0.1, 0.8, 0.1])]


def test_an_arm_never_shown_is_tried_first_and_ties_share() -> None:
    fresh = statistics([5, 0, 0], [5, 0, 0])
    for name in ("epsilon_greedy", "ucb1"):
        assert probabilities(Policy(name, epsilon=0.0), fresh).tolist() == [[0, 0.5, 0.5]]


def test_ucb1_by_hand() -> None:
    # bounds: .1 + sqrt(2 ln 160 / 100) = .419, .2 + .451 = .651, .1 + 1.007 = 1.107
    assert probabilities(Policy("ucb1"), SEEN).tolist() == [[0, 0, 1]]
    # a tenth of the width: .132, .245, .201
    assert probabilities(Policy("ucb1", confidence=0.1), SEEN).tolist() == [[0, 1, 0]]


def test_thompson_of_two_normals_in_closed_form() -> None:
    mean, deviation = np.array([[0.0, 1.0]]), np.array([[0.6, 0.8]])
    second = 0.5 * (1 + erf(1.0 / sqrt(2 * (0.36 + 0.64))))
    assert best_of_normals(mean, deviation)[0, 1] == pytest.approx(second, abs=1e-4)


def test_thompson_of_betas_is_the_share_of_draws_that_are_best() -> None:
    alpha, beta = np.array([[11.0, 11.0, 2.0]]), np.array([[91.0, 41.0, 10.0]])
    drawn = np.random.default_rng(1).beta(alpha, beta, (400_000, 3)).argmax(axis=1)
    share = np.bincount(drawn, minlength=3) / 400_000
    assert best_of_betas(alpha, beta)[0] == pytest.approx(share, abs=0.003)
    assert probabilities(Policy("thompson_beta"), SEEN)[0] == pytest.approx(share, abs=0.003)


def test_thompson_of_far_apart_and_of_equal_arms() -> None:
    far = best_of_betas(np.array([[5000.0, 1.0]]), np.array([[1.0, 5000.0]]))
    assert far[0] == pytest.approx([1, 0], abs=1e-9)
    assert best_of_betas(np.ones((1, 50)), np.ones((1, 50)))[0] == pytest.approx(np.full(50, 0.02), abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(sorted(RULES)),
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1)), min_size=2, max_size=8),
    st.floats(0, 0.1),
)
def test_probabilities_are_a_distribution_above_the_floor(name, arms, floor) -> None:
    shown, rates = (np.array([it]) for it in zip(*arms, strict=True))
    found = probabilities(Policy(name), ArmStatistics(shown, shown * rates, shown * rates))
    assert found.sum(axis=1) == pytest.approx(1)
    floored = with_floor(found, floor)
    assert floored.sum() == pytest.approx(1)
    assert floored.min() >= floor * (1 - 1e-9)
    assert (found == probabilities(Policy(name), ArmStatistics(shown, shown * rates, shown * rates))).all()


def test_a_floor_that_arms_cannot_all_have_is_refused() -> None:
    with pytest.raises(CampaignError, match=r"at most 1/3 for 3 arms, found 0.5"):
        with_floor(np.full((1, 3), 1 / 3), 0.5)


def test_memory_discounts_and_forgets() -> None:
    age = np.array([0, 1, 2, 3])
    assert memory_weights(Policy("ucb1", discount=0.5), age).tolist() == [1, 0.5, 0.25, 0.125]
    assert memory_weights(Policy("ucb1", window_days=2), age).tolist() == [1, 1, 0, 0]


def test_statistics_count_what_was_looked_at() -> None:
    found = gather(
        np.array([0, 0, 1]),
        np.array([1, 1, 0]),
        np.array([1.0, 0.0, 2.0]),
        np.array([1.0, 0.5, 1.0]),
        (2, 2),
        np.array([1.0, 0.4, 0.4]),
    )
    assert found.shown.tolist() == [[0, pytest.approx(1.2)], [pytest.approx(0.4), 0]]
    assert found.reward.tolist() == [[0, 1], [2, 0]]
    assert found.squares.tolist() == [[0, 1], [4, 0]]
    assert found.mean[1].tolist() == [pytest.approx(5.0), 0]


def learned(rows: int = 4_000) -> LinearArms:
    """Arm 1 pays 1 where the feature is positive, arm 0 where it is not."""
    rng = np.random.default_rng(4)
    context, action = rng.choice([-1.0, 1.0], (rows, 1)), rng.integers(0, 2, rows)
    reward = (action == (context[:, 0] > 0)).astype(float)
    return LinearArms.of(2, 1).add(context, action, reward, np.ones(rows))


@pytest.mark.parametrize("name", CONTEXTUAL)
def test_linear_policies_tell_people_apart(name: str) -> None:
    found = learned().probabilities(Policy(name), np.array([[-1.0], [1.0]]), seed=1)
    assert found.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("name", CONTEXTUAL)
def test_linear_policies_do_not_depend_on_the_chunk(name: str) -> None:
    context = np.random.default_rng(2).normal(size=(40, 1)) / 50
    few = LinearArms.of(2, 1).add(np.array([[1.0]]), np.array([0]), np.array([1.0]), np.ones(1))
    whole = few.probabilities(Policy(name), context, seed=3)
    parts = [few.probabilities(Policy(name), context[at : at + 7], seed=3) for at in range(0, 40, 7)]
    assert (whole == np.concatenate(parts)).all()
    assert whole.sum(axis=1) == pytest.approx(1)


def test_lints_matches_the_exact_chance_of_two_arms() -> None:
    model = LinearArms.of(2, 0).add(
        np.empty((6, 0)), np.array([0, 0, 0, 1, 1, 1]), np.array([1.0, 0, 0, 1, 1, 0]), np.ones(6)
    )
    # A = 4 both, means 1/4 and 2/4, deviation 1/2: differences are N(1/4, 2 * 1/16)
    exact = 0.5 * (1 + erf(0.25 / sqrt(0.125) / sqrt(2)))
    found = model.probabilities(Policy("lints", draws=20_000), np.empty((1, 0)), seed=0)
    assert found[0, 1] == pytest.approx(exact, abs=0.01)


def test_linucb_by_hand() -> None:
    model = LinearArms.of(2, 0).add(np.empty((4, 0)), np.array([0, 0, 0, 1]), np.array([1.0, 1, 1, 0]), np.ones(4))
    # A = 4 and 2, means .75 and 0, deviation sqrt(3)/4 = .433: bounds .75 + c .217, 0 + c .306
    at = [model.probabilities(Policy("linucb", confidence=c), np.empty((1, 0)), 0) for c in (1, 20)]
    assert [it.tolist() for it in at] == [[[1, 0]], [[0, 1]]]


def test_a_label_names_what_is_unusual() -> None:
    assert Policy("ucb1").label == "ucb1"
    assert Policy("ucb1", discount=0.9).label == "ucb1(discount=0.9)"
