"""Policies over features: one linear model of the reward per arm.

    model = LinearArms.of(arms, features).add(context, action, reward, weights)
    model.probabilities(Policy("lints"), context, seed=7)

Memory is arms x features squared, whatever the log. Rows are scored independently: a row's probabilities do not depend
on which other rows are scored with it.
"""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.decisions.bandits.bandits import best_arms
from pipeline.decisions.bandits.specification import Policy
from pipeline.runtime.near_ties import DOUBLE, best_of_rows

RIDGE = 1.0
LEAST_DEVIATION = 1e-6


@dataclass(frozen=True)
class LinearArms:
    """Per arm the sums of x x' (with the ridge) and of x r; overall the sums of r, r^2 and rows."""

    squares: np.ndarray
    targets: np.ndarray
    rewards: np.ndarray

    @classmethod
    def of(cls, arms: int, features: int) -> "LinearArms":
        """Nothing learned yet; one feature more is the intercept."""
        width = features + 1
        squares = np.tile(RIDGE * np.eye(width), (arms, 1, 1))
        return cls(squares, np.zeros((arms, width)), np.zeros(3))

    def add(self, context: np.ndarray, action: np.ndarray, reward: np.ndarray, weights: np.ndarray) -> "LinearArms":
        """The same, with rows added."""
        rows, squares, targets = with_intercept(context), self.squares.copy(), self.targets.copy()
        for arm in np.unique(action):
            mine = action == arm
            weighted = rows[mine] * weights[mine, None]
            squares[arm] += weighted.T @ rows[mine]
            targets[arm] += weighted.T @ reward[mine]
        sums = [(weights * reward).sum(), (weights * reward**2).sum(), weights.sum()]
        return replace(self, squares=squares, targets=targets, rewards=self.rewards + sums)

    def probabilities(self, policy: Policy, context: np.ndarray, seed: int) -> np.ndarray:
        """Rows x arms, before any floor."""
        rows = with_intercept(context)
        inverse = np.linalg.inv(self.squares)
        means = np.einsum("aij,aj->ai", inverse, self.targets)
        if policy.name == "linucb":
            return self._linucb(policy, rows, means, inverse)
        return self._lints(policy, rows, means, inverse, seed)

    @property
    def deviation(self) -> float:
        """Standard deviation of the rewards: the scale of exploration; 1 before any."""
        total, squares, count = self.rewards
        if not count:
            return 1.0
        return float(max(np.sqrt(max(squares / count - (total / count) ** 2, 0)), LEAST_DEVIATION))

    def _linucb(self, policy: Policy, rows: np.ndarray, means: np.ndarray, inverse: np.ndarray) -> np.ndarray:
        """The highest x'theta + confidence x deviation x sqrt(x' A^-1 x). Li et al. 2010."""
        bound = rows @ means.T
        for arm, matrix in enumerate(inverse):
            variance = np.einsum("ni,ij,nj->n", rows, matrix, rows, optimize=True)
            bound[:, arm] += policy.confidence * self.deviation * np.sqrt(variance)
        return best_arms(bound)

    def _lints(self, policy: Policy, rows: np.ndarray, means: np.ndarray, inverse: np.ndarray, seed: int) -> np.ndarray:
        """How often each arm is best over draws of all coefficients. Agrawal and Goyal 2013 (b).

        The draws are shared by all rows: each row's own probabilities are as good, and rows that are scored in chunks
        get what they would get together.
        """
        rng = np.random.default_rng(seed)
        roots = np.linalg.cholesky(inverse) * self.deviation
        arms, width = means.shape
        noise = rng.standard_normal((policy.draws, arms, width))
        counts, at = np.zeros((len(rows), arms)), np.arange(len(rows))
        for drawn in noise:
            coefficients = means + np.einsum("aij,aj->ai", roots, drawn)
            arm = best_of_rows(rows @ coefficients.T, DOUBLE * self.deviation)
            counts[at, arm] += 1
        return counts / policy.draws


def with_intercept(context: np.ndarray) -> np.ndarray:
    """Features and a column of ones."""
    return np.column_stack([context, np.ones(len(context))])
