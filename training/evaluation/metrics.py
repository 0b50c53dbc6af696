"""Ranking and probability metrics: pure functions of arrays."""

import numpy as np


def recall(hits: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """[users] share of the relevant items that are among the first k.

    `hits` [users, >= k] says whether the item at each rank is relevant; `relevant` [users] is the number of relevant
    items, including those that no ranker could list. NaN for users without any.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(relevant > 0, hits[:, :k].sum(axis=1) / relevant, np.nan)


def hit_rate(hits: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """[users] 1 where a relevant item is among the first k, else 0."""
    return np.where(relevant > 0, hits[:, :k].any(axis=1), np.nan)


def ndcg(hits: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """[users] discounted gain relative to that of a perfect list (Järvelin and Kekäläinen 2002)."""
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(relevant, k)]
    gain = hits[:, :k] @ discounts[: hits[:, :k].shape[1]]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(relevant > 0, gain / ideal, np.nan)


def reciprocal_rank(scores: np.ndarray, relevant: np.ndarray, number: np.ndarray, never: float) -> np.ndarray:
    """[users] 1 / rank of the best relevant item in the whole order; 0 where none was ranked.

    `scores` and `relevant` are [users, items], equal scores ordered by position; an item scored `never` is not ranked.
    `number` [users] counts relevant items, ranked or not.
    """
    rows = np.arange(len(scores))
    best = np.where(relevant, scores, -np.inf).argmax(axis=1)
    score = scores[rows, best][:, None]
    before = np.arange(scores.shape[1]) < best[:, None]
    ahead = ((scores > score) | ((scores == score) & before)).sum(axis=1)
    ranked = relevant[rows, best] & (score[:, 0] != never)
    return np.where(number > 0, ranked / (1 + ahead), np.nan)


def novelty(places: np.ndarray, share: np.ndarray) -> np.ndarray:
    """[users] mean surprise of a list in bits: -log2 of each item's share of all engagements.

    `places` [users, k] are positions of items, -1 = none; `share` [items] is above 0.
    """
    bits = np.where(places >= 0, -np.log2(share)[places], 0.0)
    listed = (places >= 0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(listed > 0, bits.sum(axis=1) / listed, np.nan)


def diversity(places: np.ndarray, text: np.ndarray) -> np.ndarray:
    """[users] mean cosine distance between the text vectors of two items of a list.

    Over unit vectors the cosines of all ordered pairs sum to |sum of vectors|^2 - k.
    """
    length = np.maximum(np.linalg.norm(text, axis=1, keepdims=True), 1e-12)
    listed = places >= 0
    vectors = (text / length)[places] * listed[:, :, None]
    own = (vectors**2).sum(axis=(1, 2))
    both = (vectors.sum(axis=1) ** 2).sum(axis=1) - own
    pairs = listed.sum(axis=1) * (listed.sum(axis=1) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, 1 - both / pairs, np.nan)


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Probability that a positive is scored above a negative; ties count half. NaN when a class is missing."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    ranks = mean_rank[place][labels.astype(bool)].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under precision over recall (PR-AUC) as a step function; equal scores are one step.

    NaN when a class is missing.
    """
    positives = labels.sum()
    if not 0 < positives < len(labels):
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(labels) - 1)
    found = np.cumsum(labels[order])[ends]
    precision = found / (ends + 1)
    return float(np.diff(found, prepend=0) @ precision / positives)


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
