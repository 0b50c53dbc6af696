"""Mean effects and scores against values worked out by hand."""

import numpy as np
import pytest

from pipeline.decisions.experiments.statistics import difference
from pipeline.decisions.uplift.effects import (
    by_decile,
    decile_of,
    difference_in_means,
    difference_p_value,
    mean_score,
)
from pipeline.decisions.uplift.learners import doubly_robust
from tests.unit.pipeline.decisions.uplift.trials import drawn, trial


def test_doubly_robust_scores_by_hand() -> None:
    """Foretold 0.2 and 0.5: 0.3, plus what was missed of the arm seen, twice as one in two is."""
    found = doubly_robust(trial([1, 0], [1, 0]), np.full(2, 0.2), np.full(2, 0.5))
    assert found.tolist() == pytest.approx([0.3 + 2 * 0.5, 0.3 - 2 * -0.2])


def test_with_even_arms_the_difference_is_welchs() -> None:
    made, _ = drawn(3_000, 1)
    found = difference_in_means(made)
    welch = difference(made.treated.astype(int), made.outcome)
    assert found.value == pytest.approx(welch.value)
    assert found.error == pytest.approx(welch.error, rel=1e-3)


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_scores_of_wrong_models_average_to_the_effect_and_of_right_ones_with_less_noise(
    share: float,
) -> None:
    made, truth = drawn(20_000, 2, share=share)
    control = 0.2 + 0.2 * (made.features[:, 1] > 0)
    right = mean_score(made, doubly_robust(made, control, control + truth))
    wrong = mean_score(made, doubly_robust(made, np.full(20_000, 0.4), np.full(20_000, 0.1)))
    plain = difference_in_means(made)
    for found in (right, wrong, plain):
        assert abs(found.value - truth.mean()) < 3 * found.error
    assert right.error < plain.error


def test_deciles_hold_a_tenth_of_users_each() -> None:
    assert decile_of(np.array([0.0, 0.099, 0.1, 0.95, 1.0])).tolist() == [1, 1, 2, 10, 10]
    made, truth = drawn(20_000, 4)
    score = doubly_robust(made, np.full(20_000, 0.3), 0.3 + truth)
    rank = np.argsort(np.argsort(-truth, kind="stable"), kind="stable") / 20_000
    found = by_decile(made, score, rank)
    assert [effect.users for effect in found] == [2_000] * 10
    low, high = found[0].interval()
    assert low < 0.3 < high
    assert found[-1].interval()[1] < 0.1


def test_effects_that_differ_are_told_from_effects_that_do_not() -> None:
    made, truth = drawn(4_000, 5)
    score, fold = doubly_robust(made, np.full(4_000, 0.3), np.full(4_000, 0.4)), np.zeros(4_000)
    assert difference_p_value(made, score, truth, fold) < 0.001
    noise = np.random.default_rng(6).normal(size=4_000)
    assert difference_p_value(made, score, noise, fold) > 0.05
    assert difference_p_value(made, score, np.ones(4_000), fold) == 1  # no ranking at all
    assert difference_p_value(made, score, -truth, fold) == pytest.approx(1)
