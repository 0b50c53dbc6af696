"""Probabilities that mean what they say: Platt scaling of each head on the validation window."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from training.examples import HEADS
from training.metrics import log_loss

PRIOR = 1e-2  # pulls slope to 1 and intercept to 0, in rows' worth of squared distance


@dataclass(frozen=True)
class Calibration:
    """p = sigmoid(slope x logit + intercept); a head whose label has one class gives its rate."""

    slope: list[float]
    intercept: list[float]
    constant: dict[str, float]  # heads without two classes in training or validation

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """[rows, heads] probabilities. Within 7 days is never likelier than within 28."""
        scaled = logits * np.array(self.slope) + np.array(self.intercept)
        probabilities = sigmoid(scaled)
        for head, rate in self.constant.items():
            probabilities[:, HEADS.index(head)] = rate
        week, month = HEADS.index("purchase_7d"), HEADS.index("purchase_28d")
        probabilities[:, week] = np.minimum(probabilities[:, week], probabilities[:, month])
        return probabilities.astype(np.float32)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -30, 30)))


def fit_calibration(
    logits: np.ndarray, labels: np.ndarray, constant: dict[str, float]
) -> Calibration:
    """From [rows, heads] logits and labels (NaN = unknown) of a window later than training's."""
    constant = dict(constant)
    slopes, intercepts = [], []
    for column, head in enumerate(HEADS):
        known = ~np.isnan(labels[:, column])
        found = labels[known, column]
        if len(np.unique(found)) < 2:
            constant.setdefault(head, float(found.mean()) if len(found) else 0.0)
        slope, intercept = _platt(logits[known, column].astype(np.float64), found)
        slopes.append(slope)
        intercepts.append(intercept)
    return Calibration(slopes, intercepts, constant)


def _platt(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    if not len(labels):
        return 1.0, 0.0

    def loss(weights: np.ndarray) -> float:
        distance = (weights[0] - 1) ** 2 + weights[1] ** 2
        fit = log_loss(labels, sigmoid(weights[0] * logits + weights[1])).sum()
        return float((fit + PRIOR * distance) / len(labels))

    found = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(0.05, 5), (-10, 10)])
    return float(found.x[0]), float(found.x[1])
