"""Effects of the treatment on all users, on tenths of them, and whether they differ at all."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from pipeline.decisions.ope.blocks import ratio, spread
from pipeline.decisions.uplift.trial import Trial

NORMAL = NormalDist()
DECILES = 10


@dataclass(frozen=True)
class Effect:
    """A mean effect with its standard error, over `users`."""

    value: float
    error: float
    users: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        reach = NORMAL.inv_cdf((1 + level) / 2) * self.error
        return self.value - reach, self.value + reach


def difference_in_means(trial: Trial) -> Effect:
    """Weighted mean of the treated less that of the control; the error by the delta method."""
    weight, value, parts = trial.weight, 0.0, np.zeros(len(trial))
    for arm, sign in ((trial.treated, 1), (~trial.treated, -1)):
        mean, its_parts = ratio(weight * arm * trial.outcome, weight * arm)
        value, parts = value + sign * mean, parts + sign * its_parts
    return Effect(value, spread(parts), len(trial))


def mean_score(trial: Trial, score: np.ndarray) -> Effect:
    """Mean of doubly robust scores: the effect, minus what the features predicted of outcomes."""
    value, parts = ratio(trial.weight * score, trial.weight)
    return Effect(value, spread(parts), len(trial))


def by_decile(trial: Trial, score: np.ndarray, rank: np.ndarray) -> list[Effect]:
    """Sorted group effects (Chernozhukov, Demirer, Duflo and Fernández-Val 2018), best first."""
    decile = decile_of(rank)
    groups = [np.flatnonzero(decile == number) for number in range(1, DECILES + 1)]
    return [mean_score(trial.rows(group), score[group]) for group in groups]


def decile_of(rank: np.ndarray) -> np.ndarray:
    """1 for the tenth of users ranked best, to 10."""
    return np.minimum((rank * DECILES).astype(int), DECILES - 1) + 1


def difference_p_value(trial: Trial, score: np.ndarray, uplift: np.ndarray, fold: np.ndarray) -> float:
    """Probability of scores that follow the predicted uplift as well, if all effects were the same.

    One-sided, of the slope of scores on uplift (best linear predictor, Chernozhukov et al. 2018), both less their means
    of the fold, uplift at unit variance. For folds judged in sequence.
    """
    parts, weight = np.zeros(len(trial)), trial.weight
    for number in np.unique(fold):
        mine = fold == number
        centred = uplift[mine] - np.average(uplift[mine], weights=weight[mine])
        scale = np.sqrt(np.average(centred**2, weights=weight[mine]))
        if scale > 1e-12:  # else all predictions are equal
            left = score[mine] - np.average(score[mine], weights=weight[mine])
            parts[mine] = weight[mine] * centred / scale * left
    slope, error = parts.mean(), parts.std() / np.sqrt(len(trial))
    return NORMAL.cdf(-slope / error) if error > 0 else 1.0
