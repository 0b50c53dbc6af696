"""Ranking and probability metrics: pure functions of arrays."""

import numpy as np


def recall(hits: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """[users] share of the relevant items that stand among the first k.

    `hits` [users, >= k] tells whether the item at each rank is relevant; `relevant` [users] is how
    many relevant items there are, those that nobody could rank included. Users without any: NaN.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(relevant > 0, hits[:, :k].sum(axis=1) / relevant, np.nan)


def ndcg(hits: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """[users] discounted gain over that of a perfect list (Järvelin and Kekäläinen 2002)."""
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(relevant, k)]
    gain = hits[:, :k] @ discounts[: hits[:, :k].shape[1]]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(relevant > 0, gain / ideal, np.nan)


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Chance that a positive is scored above a negative, ties half. NaN when a class is missing."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    ranks = mean_rank[place][labels.astype(bool)].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """[rows] negative log-likelihood of each label, in nats."""
    clipped = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return -np.where(labels > 0.5, np.log(clipped), np.log1p(-clipped))


def calibration_bins(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean probability, share of positives and rows of each bin of equal width that has rows."""
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    rows = np.bincount(place, minlength=bins)
    used = rows > 0
    predicted = np.bincount(place, probabilities, bins)[used] / rows[used]
    found = np.bincount(place, labels, bins)[used] / rows[used]
    return predicted, found, rows[used]


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: mean gap between probability and share of positives (ECE)."""
    if not len(labels):
        return float("nan")
    predicted, found, rows = calibration_bins(labels, probabilities, bins)
    return float(np.abs(predicted - found) @ rows / rows.sum())


def interval(values: np.ndarray, seed: int, draws: int = 1000) -> tuple[float, float, float]:
    """Mean and 95% bootstrap interval over users; users that are NaN are left out."""
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan"), float("nan")
    generator = np.random.default_rng(seed)
    means = [values[generator.integers(0, len(values), len(values))].mean() for _ in range(draws)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)
