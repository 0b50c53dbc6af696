"""Policies that learn from arm statistics alone. Each gives probabilities, strata x arms.

    probabilities(Policy("thompson_beta"), statistics)

The same statistics give the same probabilities: nothing is drawn.
"""

from collections.abc import Callable

import numpy as np

from pipeline.decisions.bandits.best_arm import best_of_betas, best_of_normals
from pipeline.decisions.bandits.specification import Policy
from pipeline.decisions.bandits.statistics import ArmStatistics
from pipeline.runtime.errors import CampaignError
from pipeline.runtime.near_ties import DOUBLE

LEAST_DEVIATION = 1e-6


def probabilities(policy: Policy, statistics: ArmStatistics) -> np.ndarray:
    """How likely the policy is to show each arm, before any floor."""
    return RULES[policy.name](policy, statistics)


def with_floor(chances: np.ndarray, floor: float) -> np.ndarray:
    """The same, with at least `floor` for every arm; what is left is shared as before."""
    arms = chances.shape[1]
    if not 0 <= floor * arms <= 1:
        raise CampaignError(f"exploration floor: expected at most 1/{arms} for {arms} arms, found {floor}")
    return floor + (1 - floor * arms) * chances


def uniform(policy: Policy, statistics: ArmStatistics) -> np.ndarray:
    """Every arm alike."""
    return np.full(statistics.shown.shape, 1 / statistics.shown.shape[1])


def epsilon_greedy(policy: Policy, statistics: ArmStatistics) -> np.ndarray:
    """The best mean so far, and with `epsilon` any arm; arms not shown yet come first."""
    best = best_arms(np.where(statistics.shown > 0, statistics.mean, np.inf))
    return policy.epsilon / best.shape[1] + (1 - policy.epsilon) * best


def ucb1(policy: Policy, statistics: ArmStatistics) -> np.ndarray:
    """The highest mean + confidence x sqrt(2 ln n / n_arm). Auer, Cesa-Bianchi and Fischer 2002.

    With discounted or windowed statistics it is D-UCB and SW-UCB (Garivier and Moulines 2011).
    """
    shown = statistics.shown
    together = np.maximum(shown.sum(axis=1, keepdims=True), 1.0)
    width = np.sqrt(2 * np.log(together) / np.where(shown > 0, shown, 1))
    bound = statistics.mean + policy.confidence * width
    return best_arms(np.where(shown > 0, bound, np.inf))


def thompson_beta(policy: Policy, statistics: ArmStatistics) -> np.ndarray:
    """The chance of being best under Beta(1 + rewards, 1 + the rest). Chapelle and Li 2011.

    For rewards between 0 and 1. An arm never earns more than its impressions.
    """
    earned = np.clip(statistics.reward, 0, statistics.shown)
    return best_of_betas(1 + earned, 1 + statistics.shown - earned)


def thompson_gaussian(policy: Policy, statistics: ArmStatistics) -> np.ndarray:
    """The chance of being best under normal posteriors. Agrawal and Goyal 2013.

    The noise is that of all arms of the stratum together; the prior is one impression's worth of the stratum's mean, or
    of N(0, 1) where nothing was shown.
    """
    together = statistics.shown.sum(axis=1, keepdims=True)
    whole = np.where(together > 0, together, 1)
    mean = statistics.reward.sum(axis=1, keepdims=True) / whole
    noise = np.maximum(statistics.squares.sum(axis=1, keepdims=True) / whole - mean**2, 0)
    deviation = np.where(together > 0, np.sqrt(noise), 1.0)
    posterior = (statistics.reward + mean) / (statistics.shown + 1)
    width = np.maximum(deviation, LEAST_DEVIATION) / np.sqrt(statistics.shown + 1)
    return best_of_normals(posterior, width)


def best_arms(scores: np.ndarray) -> np.ndarray:
    """Probability 1 for the highest score of each row; equal ones share it."""
    most = scores.max(axis=1, keepdims=True)
    near = DOUBLE * np.where(np.isfinite(scores), np.abs(scores), 0).max(axis=1, keepdims=True)
    best = scores >= most - near
    return best / best.sum(axis=1, keepdims=True)


RULES: dict[str, Callable[[Policy, ArmStatistics], np.ndarray]] = {
    "uniform": uniform,
    "epsilon_greedy": epsilon_greedy,
    "ucb1": ucb1,
    "thompson_beta": thompson_beta,
    "thompson_gaussian": thompson_gaussian,
}
