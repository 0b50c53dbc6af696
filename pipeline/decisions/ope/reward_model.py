"""What an arm earns in a stratum, learned from the log: the model behind the direct method.

Two models are learned, each from one half of the clusters, and each half is predicted by the model of the other
(cross-fitting, Chernozhukov et al. 2018): a model must not praise the rows it learned.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.decisions.ope.blocks import MIXING, block_of
from pipeline.decisions.ope.log import Log, check_strata

FOLDS = 2
PRIOR_ROWS = 20.0  # rows after which an arm's mean in a stratum counts as much as its mean elsewhere


class RewardModel(Protocol):
    """What a reward model answers of the rows of a log."""

    def logged(self, log: Log) -> np.ndarray:
        """Expected reward of the action that was logged, per row."""

    def under(self, policy: np.ndarray, log: Log) -> np.ndarray:
        """Expected reward of a policy (strata x arms), per row."""


@dataclass(frozen=True)
class MeanModel:
    """Expected reward as a table, folds x strata x arms."""

    tables: np.ndarray

    def logged(self, log: Log) -> np.ndarray:
        return self.tables[fold_of(log), log.stratum, log.action]

    def under(self, policy: np.ndarray, log: Log) -> np.ndarray:
        values = (self.tables * policy).sum(axis=2)
        return values[fold_of(log), log.stratum]


def fold_of(log: Log) -> np.ndarray:
    """Which model predicts a row: the one that has not learned from its cluster."""
    mixed = block_of(log).astype(np.uint64) * MIXING  # a log may alternate between arms
    return ((mixed >> np.uint64(40)) % np.uint64(FOLDS)).astype(np.int64)


def fit_means(chunks: Iterable[Log], strata: int) -> MeanModel:
    """Means of arms in strata, pulled towards the arm's mean, and that towards the overall one."""
    sums: np.ndarray | None = None  # rows and rewards
    for log in chunks:
        check_strata(log, strata)
        shape = (FOLDS, strata, len(log.arms))
        flat = (fold_of(log) * strata + log.stratum) * len(log.arms) + log.action
        size = int(np.prod(shape))
        found = [np.bincount(flat, weights, size) for weights in (None, log.reward)]
        sums = np.stack(found).reshape(2, *shape) + (0 if sums is None else sums)
    assert sums is not None, "a log has at least one chunk"
    count, total = sums
    return MeanModel(_shrunk(count[::-1], total[::-1]))  # each fold by the model of the other


def _shrunk(count: np.ndarray, total: np.ndarray) -> np.ndarray:
    overall = total.sum(axis=(1, 2)) / np.maximum(count.sum(axis=(1, 2)), 1)
    arm_count, arm_total = count.sum(axis=1), total.sum(axis=1)
    arm = (arm_total + PRIOR_ROWS * overall[:, None]) / (arm_count + PRIOR_ROWS)
    return (total + PRIOR_ROWS * arm[:, None, :]) / (count + PRIOR_ROWS)
