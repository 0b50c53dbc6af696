"""Regressions that the learners are made of: a ridge and boosted trees, both weighted.

A model is a function from features to predictions. NaN is a value that is not known.
"""

from collections.abc import Callable

import numpy as np

Predict = Callable[[np.ndarray], np.ndarray]
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], Predict]

PENALTIES = np.logspace(-4, 2, 25)  # per row, of columns of unit variance
TREES = 60
TREE = {
    "objective": "regression",
    "learning_rate": 0.05,
    "num_leaves": 6,
    "min_data_in_leaf": 40,
    "lambda_l2": 10.0,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "max_bin": 63,
    "bin_construct_sample_cnt": 20_000,
    "seed": 7,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


def ridge(features: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> Predict:
    """Linear, its penalty by generalised cross-validation (Golub, Heath and Wahba 1979).

    What is not known counts as average.
    """
    weight = weight / weight.sum()
    known = ~np.isnan(features)
    filled = np.where(known, features, 0.0)
    seen = np.maximum(weight @ known, 1e-12)
    centre = (weight @ filled) / seen
    spread = np.sqrt(np.maximum((weight @ filled**2) / seen - centre**2, 0.0))
    scale = np.where(spread > 1e-9, spread, np.inf)  # a constant column says nothing

    def columns(rows: np.ndarray) -> np.ndarray:
        return np.nan_to_num((rows - centre) / scale)

    level = float(weight @ outcome)
    shaped = columns(features)
    middle = weight @ shaped
    shaped -= middle
    slopes = _slopes(shaped, outcome - level, weight)
    return lambda rows: (columns(rows) - middle) @ slopes + level


def _slopes(features: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Of centred columns; `weight` sums to one."""
    rows = 1 / (weight**2).sum()  # the effective sample size of the weights
    weighted = features * weight[:, None]
    values, axes = np.linalg.eigh(features.T @ weighted)
    values = np.maximum(values, 0.0)
    along = axes.T @ (weighted.T @ outcome)
    whole, best = float(weight @ outcome**2), (np.inf, np.zeros(len(along)))
    for penalty in PENALTIES:
        slopes = along / (values + penalty)
        left = whole - 2 * slopes @ along + (slopes**2) @ values
        freedom = 1 + (values / (values + penalty)).sum()
        score = left / max(1 - freedom / rows, 1e-6) ** 2
        if score < best[0]:
            best = (score, slopes)
    return axes @ best[1]


def trees(features: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> Predict:
    """Gradient boosted trees (Ke et al. 2017), shallow and few: effects are faint."""
    import lightgbm

    weight = weight / weight.mean()
    data = lightgbm.Dataset(features, outcome, weight=weight)
    model = lightgbm.train(TREE, data, TREES)
    return lambda rows: np.asarray(model.predict(rows)) if len(rows) else np.zeros(0)


BASES: dict[str, Fit] = {"ridge": ridge, "trees": trees}
