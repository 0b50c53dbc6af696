"""The two plain models of a head: a logistic regression and boosted trees, and how they are kept.

Both read `inputs.INPUTS` and return log-odds. Nothing is pickled: weights are numbers, trees are LightGBM's own text
format.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lightgbm import Booster
from training.data.rhythm import RHYTHM
from training.data.users import UserStates
from training.data.windowed_counts import FEATURES

STRENGTH = 1e-3  # of the data against the penalty: inputs are many and correlated
ROUNDS = 250
TREES = {
    "objective": "binary",
    "learning_rate": 0.02,
    "num_leaves": 15,
    "lambda_l2": 10.0,
    "feature_fraction": 0.15,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 7,
}
LEAF_ROWS = 300  # at least, or a twentieth of all rows where that is less

INPUTS = (*FEATURES, *RHYTHM)


@dataclass(frozen=True)
class Scale:
    """Undefined inputs become the usual value; values outside the training range are clipped to it."""

    usual: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, inputs: np.ndarray) -> "Scale":
        if not len(inputs):
            inputs = np.zeros((1, inputs.shape[1]))
        some = ~np.isnan(inputs).all(axis=0)
        usual = np.zeros(inputs.shape[1])
        usual[some] = np.nanmedian(inputs[:, some], axis=0)
        whole = np.where(np.isnan(inputs), usual, inputs).astype(np.float64)
        spread = whole.std(axis=0)
        return cls(
            usual,
            whole.min(axis=0),
            whole.max(axis=0),
            whole.mean(axis=0),
            np.where(spread > 1e-6, spread, np.inf),
        )

    def apply(self, inputs: np.ndarray) -> np.ndarray:
        """[rows, inputs] with mean 0 and standard deviation 1; an input that never varied is 0."""
        whole = np.where(np.isnan(inputs), self.usual, inputs)
        return (np.clip(whole, self.low, self.high) - self.mean) / self.spread


@dataclass(frozen=True)
class PlainModels:
    """The models of one head."""

    weights: list[float]  # of scaled inputs
    bias: float
    trees: str

    @cached_property
    def booster(self) -> "Booster":
        from lightgbm import Booster

        return Booster(model_str=self.trees)

    def linear_logits(self, scaled: np.ndarray) -> np.ndarray:
        return scaled @ np.array(self.weights) + self.bias

    def tree_logits(self, inputs: np.ndarray) -> np.ndarray:
        if not len(inputs):
            return np.zeros(0)
        return np.asarray(self.booster.predict(inputs, raw_score=True, num_threads=1))


def fit_plain_models(inputs: np.ndarray, scaled: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> PlainModels:
    """Fits on rows with labels of both classes; `weights` say how much each row counts."""
    from lightgbm import Dataset, train
    from sklearn.linear_model import LogisticRegression

    linear = LogisticRegression(C=STRENGTH, max_iter=300).fit(scaled, labels, weights)
    options = TREES | {"min_data_in_leaf": max(1, min(LEAF_ROWS, len(labels) // 20))}
    trees = train(options, Dataset(inputs, labels, weight=weights), ROUNDS)
    return PlainModels(linear.coef_[0].tolist(), float(linear.intercept_[0]), trees.model_to_string())


def stack_inputs(states: UserStates, rows: np.ndarray) -> np.ndarray:
    """[rows, INPUTS] float32; NaN where something is undefined."""
    return np.concatenate([states.features[rows], states.rhythm[rows]], axis=1)
