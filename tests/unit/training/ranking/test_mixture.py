"""The transformer's weight beside the blend."""

import numpy as np
import pytest

from training.ranking.blend import FAR
from training.ranking.mixture import Mixture, fit_mixture, user_groups

pytestmark = pytest.mark.kernel

USERS, CANDIDATES = 300, 12


def planted(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two independent scores and hits drawn by the softmax of the second."""
    generator = np.random.default_rng(seed)
    first, second = generator.normal(size=(2, USERS, CANDIDATES))
    best = (second + generator.gumbel(size=second.shape)).argmax(axis=1)
    hit = np.arange(CANDIDATES)[None, :] == best[:, None]
    return first.ravel(), second.ravel(), hit.ravel()


def test_groups_follow_the_days_of_engagement() -> None:
    assert user_groups(np.array([0, 1, 9, 10, 300])).tolist() == [0, 1, 1, 2, 2]


def test_weight_goes_to_what_foretells_the_hits_group_by_group() -> None:
    noise, truth, hit = planted(1)
    row = np.repeat(np.arange(USERS), CANDIDATES)
    group = (row % 2) + 1  # light and heavy users; for the heavy ones the blend knows the truth
    blend, model = np.where(group == 2, truth, noise), np.where(group == 2, noise, truth)
    weights = fit_mixture(blend, model, hit, row, group).weights
    assert weights[1, 1] > 0.7 and weights[1, 0] < 0.3
    assert weights[2, 0] > 0.7 and weights[2, 1] < 0.3
    assert weights[0].tolist() == [1.0, 0.0]  # nobody to learn from: the blend alone


def test_hits_outside_the_short_list_do_not_pull_at_the_weights() -> None:
    noise, truth, hit = planted(2)
    row, group = np.repeat(np.arange(USERS), CANDIDATES), np.ones(USERS * CANDIDATES, dtype=int)
    outside = np.tile(np.arange(CANDIDATES) >= CANDIDATES - 2, USERS)
    blend = np.where(outside, truth - FAR, truth)
    weights = fit_mixture(blend, noise, hit, row, group).weights
    assert weights[1, 0] > 0.7
    mixed = Mixture(weights).mix(blend, noise, group)
    assert mixed[outside].max() < mixed[~outside].min()


def test_candidates_that_may_not_stand_in_the_list_stay_out() -> None:
    of_model = Mixture(np.array([[0.0, 1.0]] * 3, dtype=np.float32))
    for mixture, first in ((Mixture.of_blend_alone(), 1.0), (of_model, -2.0)):
        found = mixture.mix(np.array([1.0, -np.inf]), np.full(2, -2.0), np.zeros(2, int))
        assert found.tolist() == [first, -np.inf]
