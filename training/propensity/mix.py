"""How a head weighs its sources: a calibrated sum of log-odds, fitted on a later window.

The window's labels trained none of the sources, so the weights are also the calibration (as Platt
1999, with a slope per source).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from training.metrics import log_loss

SOURCES = ("transformer", "linear", "trees")
USUAL = (0.0, 0.5, 0.5)  # weights where the window tells nothing
PRIOR = 50.0  # rows' worth of squared distance from them


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
    """From [rows, SOURCES] logits and labels; a source whose usual weight is None is left out."""
    start = np.array([*usual, 0.0])
    rows = logits.astype(np.float64)

    def loss(found: np.ndarray) -> float:
        fit = log_loss(labels, sigmoid(rows @ found[:-1] + found[-1])).sum()
        return float((fit + PRIOR * ((found - start) ** 2).sum()) / (len(labels) + 1))

    bounds = [(0, 5)] * len(SOURCES) + [(-10, 10)]
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    return Mix(found[:-1].tolist(), float(found[-1]))
