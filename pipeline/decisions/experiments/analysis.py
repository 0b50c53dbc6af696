"""The result of an experiment: sample ratio first, then every metric, look by look."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.decisions.experiments.experiment import Experiment, Metric
from pipeline.decisions.experiments.outcomes import aligned
from pipeline.decisions.experiments.sequential import always_valid_interval, always_valid_p_values
from pipeline.decisions.experiments.statistics import (
    RATIO_ALARM,
    Difference,
    cuped,
    difference,
    ratio_p_value,
    users_needed,
)
from pipeline.runtime.floor import FLOOR

LEVEL = 0.95


@dataclass(frozen=True)
class MetricResult:
    """Of one metric: the plain difference, with CUPED, and what holds at every look of `days`."""

    metric: Metric
    plain: Difference
    adjusted: Difference
    variance_gone: float
    p_value: float
    interval: tuple[float, float]
    verdict: str
    days: list[str]
    p_values: list[float]
    intervals: list[tuple[float, float]]
    differences: list[float]
    least_users: list[int]  # of the smaller arm at each look


@dataclass(frozen=True)
class Result:
    """`trusted` is false where the sample ratio is not what was declared: nothing else counts."""

    experiment: Experiment
    ds: str
    users: tuple[int, int]
    ratio_p_value: float
    metrics: list[MetricResult]
    needed: int

    @property
    def tellable(self) -> bool:
        """Whether the figures tell of no single user: an arm of few users is one of their purses."""
        return all(users == 0 or users >= FLOOR for users in self.users)

    @property
    def trusted(self) -> bool:
        return self.ratio_p_value >= RATIO_ALARM


def analyse(experiment: Experiment, users: pl.DataFrame, ds: str) -> Result:
    """The result as of `ds`, from `outcomes`. One look per day on which users were done."""
    counts = tuple(int((users["arm"] == number).sum()) for number in (0, 1))
    shares = tuple(share for _, share in experiment.arms)
    metrics = [_result(metric, users) for metric in experiment.metrics]
    primary = experiment.primary
    _, values, before = aligned(users, primary)
    adjusted, _ = cuped(values, before)
    deviation = float(adjusted.std()) if len(adjusted) else 0.0
    whole = sum(shares)
    needed = users_needed(deviation, primary.least_gain, (shares[0] / whole, shares[1] / whole))
    p_value = ratio_p_value(counts, shares)
    return Result(experiment, ds, (counts[0], counts[1]), p_value, metrics, needed)


def _result(metric: Metric, users: pl.DataFrame) -> MetricResult:
    arm, values, before = aligned(users, metric)
    done = users["done"].to_numpy()
    ends = np.flatnonzero(np.append(done[1:] != done[:-1], len(done) > 0))
    looks = []
    for end in ends + 1:
        adjusted, _ = cuped(values[:end], before[:end])
        looks.append(difference(arm[:end], adjusted))
    plain = difference(arm, values)
    adjusted, gone = cuped(values, before)
    final = difference(arm, adjusted)
    p_values = always_valid_p_values(looks, metric.least_gain)
    interval = always_valid_interval(final, metric.least_gain, LEVEL)
    return MetricResult(
        metric,
        plain,
        final,
        gone,
        p_values[-1] if p_values else 1.0,
        interval,
        _verdict(metric, interval),
        [str(done[end]) for end in ends],
        p_values,
        [always_valid_interval(look, metric.least_gain, LEVEL) for look in looks],
        [look.value for look in looks],
        [int(np.bincount(arm[:end], minlength=2).min()) for end in ends + 1],
    )


def _verdict(metric: Metric, interval: tuple[float, float]) -> str:
    """What the interval that holds at every look says, with higher turned into better."""
    low, high = interval if metric.better == "higher" else (-interval[1], -interval[0])
    if metric.role == "guardrail":
        if low > -metric.least_gain:
            return "safe"
        return "broken" if high < -metric.least_gain else "open"
    if low > 0:
        return "better"
    return "worse" if high < 0 else "open"
