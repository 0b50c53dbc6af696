"""How a head weighs its sources: a calibrated sum of log-odds, fitted on a later window.

The window's labels trained none of the sources, so the weights are also the calibration (as Platt
1999, with a slope per source).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from training.evaluation.metrics import log_loss

SOURCES = ("transformer", "linear", "trees")
USUAL = (0.0, 0.5, 0.5)  # weights where the window tells nothing
ALONE = (1.0, 0.0, 0.0)  # the transformer without plain models
# Rows' worth of squared distance from the usual weights and from no shift: much of the shift that
# one window shows is gone in the next.
PRIOR = 100.0


@dataclass(frozen=True)
class Mix:
    """p = sigmoid(weights . logits of SOURCES + bias)."""

    weights: list[float]
    bias: float

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """[rows] probabilities of [rows, SOURCES] logits."""
        return sigmoid(logits @ np.array(self.weights) + self.bias)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -30, 30)))


def fit_mix(logits: np.ndarray, labels: np.ndarray, usual: tuple[float, ...] = USUAL) -> Mix:
    """From [rows, SOURCES] logits and labels of two classes."""
    rows, start = logits.astype(np.float64), np.array([*usual, 0.0])
    center = rows.mean(axis=0)  # slopes turn about it, so that the bias alone moves the level
    level = center @ start[:-1]

    def loss(found: np.ndarray) -> float:
        chances = sigmoid((rows - center) @ found[:-1] + level + found[-1])
        distance = ((found - start) ** 2).sum()
        return float((log_loss(labels, chances).sum() + PRIOR * distance) / len(labels))

    bounds = [(0, 5)] * len(SOURCES) + [(-10, 10)]
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    weights = found[:-1]
    return Mix(weights.tolist(), float(level + found[-1] - center @ weights))
