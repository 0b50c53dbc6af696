"""One pass over a log: the sums that every estimator and diagnostic is made of."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf

import numpy as np

from pipeline.decisions.ope.blocks import BLOCKS, block_of, block_sums
from pipeline.decisions.ope.log import Log, check_probabilities, check_strata
from pipeline.decisions.ope.reward_model import RewardModel
from pipeline.runtime.errors import FeedbackError

# Where switch-DR may stop trusting weights, and where clipping is reported.
THRESHOLDS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1_000.0)
ROWS, WEIGHT, WEIGHTED, MODELLED, RESIDUAL = range(5)
SWITCHED = 5  # the first of len(THRESHOLDS) columns


# Strata x arms; or a function that gives this table for the strata of one chunk.
Evaluated = np.ndarray | Callable[[Log], np.ndarray]


@dataclass
class Tally:
    """Sums of a log under one policy. `sums`: used blocks x columns; the rest is over all rows."""

    arms: tuple[str, ...]
    sums: np.ndarray
    squared_weights: float = 0.0
    largest_weight: float = 0.0
    largest_reward: float = 0.0
    lowest_reward: float = inf  # and the highest, with their signs
    highest_reward: float = -inf
    is_clustered: bool = False
    clipped_rows: int = 0
    clipped_weight: float = 0.0
    rows_above: np.ndarray | None = None  # rows with a weight above each threshold
    weight_above: np.ndarray | None = None  # and the weight of those rows
    shown: np.ndarray | None = None  # rows of each arm
    wanted: np.ndarray | None = None  # rows that the policy would have given each arm
    unsupported: float = 0.0  # share of the policy where the logging policy is known to be 0

    @property
    def rows(self) -> int:
        return int(self.sums[:, ROWS].sum())


def tally(chunks: Iterable[Log], policy: Evaluated, model: RewardModel, clip: float | None = None) -> Tally:
    """The sums of all chunks. Raises FeedbackError for a policy that is none, or no rows."""
    found: Tally | None = None
    for log in chunks:
        if found is None:
            found = _empty(log.arms)
        if len(log):
            table = policy(log) if callable(policy) else policy
            check_probabilities("evaluated policy", table, log.arms)
            _add(found, log, table, model, clip)
    if found is None or not found.rows:
        raise FeedbackError("log: expected impressions, found none; wait until there are some")
    found.unsupported /= found.rows
    found.sums = found.sums[found.sums[:, ROWS] > 0]
    return found


def _empty(arms: tuple[str, ...]) -> Tally:
    counts = [np.zeros(size) for size in (len(THRESHOLDS), len(THRESHOLDS), len(arms), len(arms))]
    above, weight, shown, wanted = counts
    sums = np.zeros((BLOCKS, SWITCHED + len(THRESHOLDS)))
    return Tally(arms, sums, rows_above=above, weight_above=weight, shown=shown, wanted=wanted)


def _add(into: Tally, log: Log, policy: np.ndarray, model: RewardModel, clip: float | None) -> None:
    check_strata(log, len(policy))
    weight = policy[log.stratum, log.action] / log.propensity
    _add_diagnostics(into, log, policy, weight, clip)
    weight = weight if clip is None else np.minimum(weight, clip)
    residual = weight * (log.reward - model.logged(log))
    columns = [
        np.ones(len(log)),
        weight,
        weight * log.reward,
        model.under(policy, log),
        residual,
        *[np.where(weight <= threshold, residual, 0.0) for threshold in THRESHOLDS],
    ]
    into.sums += block_sums(block_of(log), columns)


def _add_diagnostics(into: Tally, log: Log, policy: np.ndarray, weight: np.ndarray, clip: float | None) -> None:
    assert into.rows_above is not None and into.weight_above is not None
    assert into.shown is not None and into.wanted is not None
    into.squared_weights += float((weight**2).sum())
    into.largest_weight = max(into.largest_weight, float(weight.max()))
    into.largest_reward = max(into.largest_reward, float(np.abs(log.reward).max()))
    into.lowest_reward = min(into.lowest_reward, float(log.reward.min()))
    into.highest_reward = max(into.highest_reward, float(log.reward.max()))
    into.is_clustered |= log.cluster is not None
    if clip is not None:
        into.clipped_rows += int((weight > clip).sum())
        into.clipped_weight += float(np.maximum(weight - clip, 0).sum())
    for number, threshold in enumerate(THRESHOLDS):
        above = weight > threshold
        into.rows_above[number] += above.sum()
        into.weight_above[number] += weight[above].sum()
    strata = np.bincount(log.stratum, minlength=len(policy))
    into.shown += np.bincount(log.action, minlength=len(log.arms))
    into.wanted += strata @ policy
    if log.logging is not None:
        into.unsupported += float((strata @ np.where(log.logging > 0, 0, policy)).sum())
