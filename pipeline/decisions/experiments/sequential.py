"""P-values and intervals that hold at every look: the mixture sequential probability ratio test.

A difference with standard error s is compared with no difference, mixed over N(0, t^2) effects: L = sqrt(s^2 / (s^2 +
t^2)) exp(t^2 d^2 / (2 s^2 (s^2 + t^2))). Under no effect L is a martingale as users arrive, so the chance that 1/L is
ever below alpha is at most alpha, however often and whenever one looks. Robbins 1970; Johari, Koomen, Pekelis and Walsh
2022.

It asks for users who come one after the other and count once. So a user's metric is taken over a fixed number of days
after entry, and the user counts when these are over.
"""

from itertools import accumulate
from math import exp, log, sqrt

from pipeline.decisions.experiments.statistics import Difference

LEAST_USERS = 50  # per arm: with fewer the standard error itself is a guess


def always_valid_p_values(looks: list[Difference], spread: float) -> list[float]:
    """The p-value after each look; it never rises. `spread` is t, the size of effects hoped for."""
    return list(accumulate((min(1.0, exp(-_log_ratio(it, spread))) for it in looks), min))


def always_valid_interval(look: Difference, spread: float, level: float = 0.95) -> tuple[float, float]:
    """An interval of which all looks together miss the effect with at most 1 - level."""
    if not _tells(look, spread):
        return float("-inf"), float("inf")
    variance, mixed = look.error**2, look.error**2 + spread**2
    inside = 2 * log(1 / (1 - level)) + log(mixed / variance)
    reach = sqrt(variance * mixed / spread**2 * inside)
    return look.value - reach, look.value + reach


def _log_ratio(look: Difference, spread: float) -> float:
    if not _tells(look, spread):
        return 0.0
    variance, mixed = look.error**2, look.error**2 + spread**2
    evidence = spread**2 * look.value**2 / (2 * variance * mixed)
    return min(0.5 * log(variance / mixed) + evidence, 700.0)  # exp stays a number


def _tells(look: Difference, spread: float) -> bool:
    """Whether there is anything to go by: users enough, and a metric that varies."""
    return min(look.users) >= LEAST_USERS and 0 < look.error < float("inf") and spread > 0
