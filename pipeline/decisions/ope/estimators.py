"""The estimators: what a policy would have earned per impression.

Each is a ratio of two sums over a log (`pipeline/decisions/ope/tally.py`). With w = probability under the evaluated
policy / logged propensity, r the reward and q the reward model:

- ips: mean of w r. Horvitz and Thompson 1952. Unbiased; the largest weights rule its variance.
- snips: sum of w r / sum of w. Swaminathan and Joachims 2015. Within the range of rewards.
- direct: mean of q under the policy. As good as the model, whose error its interval holds:
  judge.py takes it from the doubly robust correction.
- doubly_robust: direct + mean of w (r - q). Dudik, Langford and Li 2011. Right when either the
  propensities or the model are.
- switch_dr: doubly robust where w is at most a threshold, the model alone above it. Wang, Agarwal
  and Dudik 2017; the threshold has the least estimated variance + squared bound of the bias.
"""

import numpy as np

from pipeline.decisions.ope.blocks import ratio, spread
from pipeline.decisions.ope.tally import (
    MODELLED,
    RESIDUAL,
    ROWS,
    SWITCHED,
    THRESHOLDS,
    WEIGHT,
    WEIGHTED,
    Tally,
)
from pipeline.runtime.near_ties import DOUBLE, best

ESTIMATORS = ("ips", "snips", "direct", "doubly_robust", "switch_dr")


def sums_of(name: str, of: Tally) -> tuple[np.ndarray, np.ndarray]:
    """Numerator and denominator of an estimator, per block."""
    rows, modelled = of.sums[:, ROWS], of.sums[:, MODELLED]
    if name == "ips":
        return of.sums[:, WEIGHTED], rows
    if name == "snips":
        return of.sums[:, WEIGHTED], of.sums[:, WEIGHT]
    if name == "direct":
        return modelled, rows
    if name == "doubly_robust":
        return modelled + of.sums[:, RESIDUAL], rows
    return modelled + of.sums[:, SWITCHED + _threshold(of)], rows


def switch_threshold(of: Tally) -> float:
    """The weight above which switch-DR takes the model's word."""
    return THRESHOLDS[_threshold(of)]


def _threshold(of: Tally) -> int:
    """Number of the threshold of least variance + squared bias bound (Wang et al. 2017, 3.2)."""
    assert of.weight_above is not None
    risks = []
    for number in range(len(THRESHOLDS)):
        top = of.sums[:, MODELLED] + of.sums[:, SWITCHED + number]
        variance = spread(ratio(top, of.sums[:, ROWS])[1]) ** 2
        bias = of.largest_reward * of.weight_above[number] / of.rows
        risks.append(variance + bias**2)
    return best(-np.array(risks), DOUBLE * max(risks))
