"""Differences of means between two arms: CUPED, intervals, sample ratio, power.

Two arms of independent users; y is a user's metric, x the same before the experiment.
"""

from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist

import numpy as np
from scipy import stats

from pipeline.runtime.errors import ExperimentError

NORMAL = NormalDist()
RATIO_ALARM = 0.001  # p-value below which the sample ratio is not believed (Fabijan et al. 2019)


@dataclass(frozen=True)
class Difference:
    """Treatment minus control, with its standard error and the mean of each."""

    value: float
    error: float
    control: float
    treatment: float
    users: tuple[int, int]

    @property
    def p_value(self) -> float:
        """Two-sided, for one look that was planned beforehand."""
        if not np.isfinite(self.error):
            return 1.0
        if not self.error:
            return 0.0 if self.value else 1.0
        return 2 * NORMAL.cdf(-abs(self.value / self.error))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        reach = NORMAL.inv_cdf((1 + level) / 2) * self.error
        return self.value - reach, self.value + reach


def difference(arm: np.ndarray, metric: np.ndarray) -> Difference:
    """Welch's: every arm has a variance of its own. `arm` is 0 for control, 1 for treatment."""
    groups = [metric[arm == number] for number in (0, 1)]
    means = [float(group.mean()) if len(group) else float("nan") for group in groups]
    if min(map(len, groups)) < 2:
        error = float("inf")
    else:
        error = sqrt(sum(float(group.var(ddof=1)) / len(group) for group in groups))
    control, treatment = means
    return Difference(treatment - control, error, control, treatment, (len(groups[0]), len(groups[1])))


def cuped(metric: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, float]:
    """The metric less what the time before predicts, and the share of variance that is gone.

    y - theta (x - mean x) with theta = cov(x, y) / var(x), over both arms. Deng, Xu, Kohavi and Walker 2013. What
    happened before cannot be an effect, so the difference stays unbiased.
    """
    if len(metric) < 3 or not before.var() or not metric.var():
        return metric, 0.0
    spread = before.var()
    theta = ((metric - metric.mean()) * (before - before.mean())).mean() / spread
    adjusted = metric - theta * (before - before.mean())
    return adjusted, float(1 - adjusted.var() / metric.var())


def ratio_p_value(users: tuple[int, ...], shares: tuple[float, ...]) -> float:
    """Chance of such numbers of users if the shares were kept: chi-squared."""
    whole = sum(users)
    if not whole:
        return 1.0
    expected = np.array(shares) / sum(shares) * whole
    return float(stats.chisquare(users, expected).pvalue)


def users_needed(
    deviation: float,
    gain: float,
    shares: tuple[float, float] = (0.5, 0.5),
    level: float = 0.95,
    power: float = 0.8,
    variance_gone: float = 0.0,
) -> int:
    """Users of both arms together, to see an absolute `gain` with that power at one look.

    n = (z_level + z_power)^2 sd^2 (1/share_0 + 1/share_1) / gain^2; CUPED takes its part of sd^2.
    """
    if gain <= 0 or deviation < 0 or min(shares) <= 0 or not 0 < power < 1 or not 0 < level < 1:
        raise ExperimentError(
            f"power: expected a gain above 0 and shares, power and level between 0 and 1, found "
            f"gain {gain}, deviation {deviation}, shares {shares}, power {power}, level {level}"
        )
    reach = NORMAL.inv_cdf((1 + level) / 2) + NORMAL.inv_cdf(power)
    variance = deviation**2 * (1 - variance_gone)
    return ceil(reach**2 * variance * sum(1 / share for share in shares) / gain**2)


def gain_seen(
    deviation: float,
    users: int,
    shares: tuple[float, float] = (0.5, 0.5),
    level: float = 0.95,
    power: float = 0.8,
) -> float:
    """The smallest absolute gain that this many users show with that power."""
    reach = NORMAL.inv_cdf((1 + level) / 2) + NORMAL.inv_cdf(power)
    return reach * deviation * sqrt(sum(1 / share for share in shares) / max(users, 1))
