"""A reward model over features: one ridge regression per arm, cross-fitted like the means."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.decisions.ope.log import Log
from pipeline.decisions.ope.reward_model import FOLDS, fold_of

RIDGE = 10.0  # in rows: an arm that was shown less says little of its own


@dataclass(frozen=True)
class LinearModel:
    """Coefficients, folds x arms x (features + 1); the last one is the intercept."""

    coefficients: np.ndarray

    def logged(self, log: Log) -> np.ndarray:
        chosen = self.coefficients[fold_of(log), log.action]
        return (_features(log) * chosen).sum(axis=1)

    def under(self, policy: np.ndarray, log: Log) -> np.ndarray:
        features, fold, values = _features(log), fold_of(log), np.empty(len(log))
        for number, coefficients in enumerate(self.coefficients):
            mine = fold == number
            expected = features[mine] @ coefficients.T
            values[mine] = (expected * policy[log.stratum[mine]]).sum(axis=1)
        return values


def fit_linear(chunks: Iterable[Log]) -> LinearModel:
    """Ridge per arm and fold towards the mean reward; memory is folds x arms x features squared."""
    squares: dict[tuple[int, int], np.ndarray] = {}
    for log in chunks:
        features, fold = _features(log), fold_of(log)
        rows = np.column_stack([features, log.reward])
        order = np.lexsort((log.action, fold))
        keys = fold[order] * len(log.arms) + log.action[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        for part in np.split(order, starts[1:]):
            key = (int(fold[part[0]]), int(log.action[part[0]]))
            squares[key] = squares.get(key, 0.0) + rows[part].T @ rows[part]
    return _solve(squares, features.shape[1], len(log.arms))


def _solve(squares: dict[tuple[int, int], np.ndarray], width: int, arms: int) -> LinearModel:
    coefficients = np.zeros((FOLDS, arms, width))
    for fold in range(FOLDS):
        learned = FOLDS - 1 - fold  # each fold is predicted by the model of the other
        mine = [squares[key] for key in squares if key[0] == learned]
        rows, total = (sum(it[-2, at] for it in mine) for at in (-2, -1))
        prior = np.zeros(width)
        prior[-1] = total / max(rows, 1)
        for arm in range(arms):
            both = squares.get((learned, arm), np.zeros((width + 1, width + 1)))
            left = both[:width, :width] + RIDGE * np.eye(width)
            coefficients[fold, arm] = np.linalg.solve(left, both[:width, -1] + RIDGE * prior)
    return LinearModel(coefficients)


def _features(log: Log) -> np.ndarray:
    assert log.context is not None, "a linear model needs the features of every row"
    return np.column_stack([log.context, np.ones(len(log))])
