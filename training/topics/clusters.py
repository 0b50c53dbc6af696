"""Clusters of unit vectors: k-means, then splits and merges where they fit better.

k-means stops at the nearest optimum: two clusters on one topic, one cluster on two others. So the cluster that gains
most from a split is split, and the two that lose least from a merge are merged, as long as that pays (after Ueda et al.
2000). The same moves let clusters follow the items over time.

Every host must find the same clusters: k-means is exact (kmeans.py), and moves with the same gain, up to noise, are
ordered by position.
"""

import numpy as np
from scipy import sparse

from pipeline.runtime.near_ties import DOUBLE, best
from training.topics.kmeans import ROWS_AT_ONCE, kmeans, on_grid

ROWS_TRIED = 20_000  # a few rows are clustered from several starts
MOST_TRIES = 4
LEAST_GAIN = 1e-3  # of a split: equal items stay together


def fit(
    rows: np.ndarray,
    number: int,
    worth: float,
    start: np.ndarray | None = None,
    apart: float = 0.0,
) -> np.ndarray:
    """[at most `number`, width] centroids of length 1.

    `start` are centroids to continue from; `worth` is how many times its loss a move must gain. Clusters closer to each
    other than `apart` times the usual distance become one.
    """
    rows = on_grid(rows)
    tries = min(MOST_TRIES, max(1, ROWS_TRIED // len(rows)))
    labels = kmeans(rows, number, tries) if start is None else kmeans(rows, start, 1)
    labels = distinct(rows, regrouped(rows, labels, number, worth), apart)
    labels = kmeans(rows, means(rows, labels, int(labels.max()) + 1), 1)
    return means(rows, labels, int(labels.max()) + 1)


def assign(vectors: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centroid of each row and its cosine; the first in case of ties."""
    label, cosine = np.zeros(len(vectors), np.int64), np.zeros(len(vectors), np.float32)
    axes = on_grid(centroids).T
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        alike = on_grid(vectors[start : start + ROWS_AT_ONCE]) @ axes
        label[start : start + ROWS_AT_ONCE] = alike.argmax(axis=1)
        cosine[start : start + ROWS_AT_ONCE] = alike.max(axis=1)
    return label, cosine


def own_cosine(vectors: np.ndarray, centroids: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cosine of each row and the centroid of its label; -1 for label -1."""
    found = np.full(len(vectors), -1, np.float32)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        label = labels[start : start + ROWS_AT_ONCE]
        chunk = vectors[start : start + ROWS_AT_ONCE].astype(np.float32)
        alike = np.einsum("ij,ij->i", chunk, centroids[label]) if len(centroids) else label * 0
        found[start : start + ROWS_AT_ONCE] = np.where(label >= 0, np.clip(alike, -1, 1), -1)
    return found


def means(vectors: np.ndarray, labels: np.ndarray, number: int) -> np.ndarray:
    """[number, width] unit mean of the rows of each label; 0 for a label without rows."""
    total = np.zeros((number, vectors.shape[1]))
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        label = labels[start : start + ROWS_AT_ONCE]
        mine = np.flatnonzero(label >= 0)
        where = (label[mine], np.arange(len(mine)))
        members = sparse.csr_matrix((np.ones(len(mine)), where), (number, len(mine)))
        total += members @ vectors[start : start + ROWS_AT_ONCE][mine].astype(np.float64)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return (total / np.maximum(length, 1e-12)).astype(np.float32)


def regrouped(rows: np.ndarray, labels: np.ndarray, number: int, worth: float) -> np.ndarray:
    """New labels, counted from 0, after splits and merges towards `number` clusters."""
    groups = Groups(rows, labels)
    groups.join_equal()
    for _ in range(4 * number):
        split, gain = groups.best_split()
        pair, cost = groups.cheapest_merge(spare=split if len(groups) == number else -1)
        few, many = len(groups) < number, len(groups) > number
        pays = gain >= LEAST_GAIN and (few or gain > worth * cost * (1 + DOUBLE))
        if not many and not pays:
            break
        if many:
            groups.replace(pair, [groups.joined(pair)])
        elif few:
            groups.replace((split,), list(groups.halves[split][1:]))
        else:
            groups.replace((split, *pair), [*groups.halves[split][1:], groups.joined(pair)])
    return groups.labels()


def distinct(rows: np.ndarray, labels: np.ndarray, apart: float) -> np.ndarray:
    """New labels, counted from 0, after merging clusters that are one cluster cut in two.

    The distance of two clusters is the cost of a merge relative to the squared distances within them; the usual
    distance is the median distance to the nearest cluster.
    """
    groups = Groups(rows, labels)
    while len(groups) > 2:
        distance = groups.merge_costs() / np.maximum(groups.within(), LEAST_GAIN)
        nearest = np.minimum(distance.min(axis=0), distance.min(axis=1))
        if nearest.min() >= apart * np.median(nearest) * (1 - DOUBLE):
            break
        one, other = np.unravel_index(best(-distance, DOUBLE * len(rows)), distance.shape)
        pair = int(one), int(other)
        groups.replace(pair, [groups.joined(pair)])
    return groups.labels()


class Groups:
    """Clusters as lists of rows, with the best split of each."""

    def __init__(self, rows: np.ndarray, labels: np.ndarray) -> None:
        self.rows = rows
        self.members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        self.halves = [self._halves(group) for group in self.members]

    def __len__(self) -> int:
        return len(self.members)

    def join_equal(self) -> None:
        """Merges clusters that no split would ever separate, into the place of the first."""
        while len(self) > 1:
            pair, cost = self.cheapest_merge(spare=-1)
            if cost >= LEAST_GAIN / 2:
                break
            one, other = pair
            self.members[one] = self.joined(pair)
            self.halves[one] = self._halves(self.members[one])
            del self.members[other], self.halves[other]

    def best_split(self) -> tuple[int, float]:
        """Which cluster to split, and by how much squared distances would fall."""
        gains = [gain for gain, _, _ in self.halves]
        widest = best(np.array(gains), DOUBLE * len(self.rows))
        return widest, gains[widest]

    def cheapest_merge(self, spare: int) -> tuple[tuple[int, int], float]:
        """Which clusters to merge, and by how much squared distances would rise."""
        cost = self.merge_costs()
        if spare >= 0:
            cost[spare], cost[:, spare] = np.inf, np.inf
        one, other = np.unravel_index(best(-cost, DOUBLE * len(self.rows)), cost.shape)
        return (int(one), int(other)), float(cost[one, other])

    def merge_costs(self) -> np.ndarray:
        """[clusters, clusters] what each pair costs (Ward 1963), above the diagonal; else inf."""
        size = np.array([len(group) for group in self.members], float)
        mean = np.stack([self.rows[group].mean(axis=0, dtype=float) for group in self.members])
        square = (mean**2).sum(axis=1)
        apart = np.maximum(square[:, None] + square - 2 * mean @ mean.T, 0)
        cost = apart * size[:, None] * size / (size[:, None] + size)
        cost[np.tril_indices(len(size))] = np.inf
        return cost

    def within(self) -> np.ndarray:
        """[clusters, clusters] squared distances to the cluster's own mean, summed for each pair."""
        own = np.array([len(group) - _pull(self.rows[group]) for group in self.members])
        return own[:, None] + own

    def joined(self, pair: tuple[int, int]) -> np.ndarray:
        return np.sort(np.concatenate([self.members[place] for place in pair]))

    def replace(self, gone: tuple[int, ...], fresh: list[np.ndarray]) -> None:
        kept = [place for place in range(len(self)) if place not in gone]
        self.members = [self.members[place] for place in kept] + fresh
        self.halves = [self.halves[place] for place in kept] + [self._halves(g) for g in fresh]

    def labels(self) -> np.ndarray:
        found = np.zeros(len(self.rows), np.int64)
        for label, group in enumerate(self.members):
            found[group] = label
        return found

    def _halves(self, group: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        rows = self.rows[group]
        labels = kmeans(rows, 2, 1)
        parts = group[labels == 0], group[labels == 1]
        gain = sum(_pull(self.rows[part]) for part in parts) - _pull(rows)
        return gain, *parts


def _pull(rows: np.ndarray) -> float:
    """Squared length of the rows' sum over their number: what a cluster of them explains."""
    total = rows.sum(axis=0, dtype=float)
    return float(total @ total) / max(len(rows), 1)
