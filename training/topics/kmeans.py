"""k-means that every host computes identically, to the bit.

Vectors and centroids lie on a grid that is coarse enough for float64 to hold their products and sums to the last digit:
neither the kernel, nor the number of threads, nor the order of additions can change one, and equally near centroids are
equally near everywhere.
"""

import numpy as np
from scipy import sparse
from sklearn.cluster import kmeans_plusplus

from pipeline.runtime.near_ties import DOUBLE, best

ITERATIONS, SEED = 50, 7
ROWS_AT_ONCE = 16_384
# A product of unit vectors takes twice these bits, and the sum over 2^18 rows 18 more: 50 of the 53 that float64 has.
# Half precision is no finer for components above 0.03.
GRID = 2.0**16
SETTLED = 1e-4  # of the rows' mean variance: centroids that move less have converged


def on_grid(rows: np.ndarray) -> np.ndarray:
    """float64 multiples of 1 / GRID."""
    return np.rint(rows.astype(np.float64) * GRID) / GRID


def kmeans(rows: np.ndarray, start: int | np.ndarray, tries: int) -> np.ndarray:
    """Labels of rows on the grid, counted from 0 without gaps; the best of several starts."""
    if np.ndim(start):
        labels, _ = _lloyd(rows, on_grid(np.asarray(start)[: len(rows)]))
        return np.unique(labels, return_inverse=True)[1]
    number, luck = min(int(start), len(rows)), np.random.RandomState(SEED)
    found = [_lloyd(rows, kmeans_plusplus(rows, number, random_state=luck)[0]) for _ in range(tries)]
    labels, _ = found[best(-np.array([loss for _, loss in found]), DOUBLE * len(rows))]
    return np.unique(labels, return_inverse=True)[1]


def _lloyd(rows: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, float]:
    """Labels of rows, and their squared distances to the centroids of these.

    At most ITERATIONS of nearest centroid and mean (Lloyd 1982). A cluster without rows gets the row that is farthest
    from its own centroid.
    """
    enough = SETTLED * rows.var(axis=0).mean()
    square = (rows**2).sum(axis=1)
    before = np.full(len(rows), -1)
    for _ in range(ITERATIONS):
        label, distance = _nearest(rows, square, centroids)
        label = _filled(label, distance, len(centroids))
        moved = on_grid(_sums(rows, label, len(centroids)) / _sizes(label, len(centroids)))
        shift, centroids = ((moved - centroids) ** 2).sum(), moved
        if np.array_equal(label, before) or shift <= enough * (1 + DOUBLE):
            break
        before = label
    label, distance = _nearest(rows, square, centroids)
    return label, float(distance.sum())


def _nearest(rows: np.ndarray, square: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place of the nearest centroid (the first in case of ties), and the squared distance to it."""
    label, distance = np.zeros(len(rows), np.int64), np.zeros(len(rows))
    axes, half = centroids.T, (centroids**2).sum(axis=1) / 2
    for start in range(0, len(rows), ROWS_AT_ONCE):
        block = slice(start, start + ROWS_AT_ONCE)
        near = rows[block] @ axes - half
        label[block] = near.argmax(axis=1)
        distance[block] = square[block] - 2 * near.max(axis=1)
    return label, distance


def _filled(label: np.ndarray, distance: np.ndarray, number: int) -> np.ndarray:
    """The same labels, with a row in each cluster, as long as there are rows away from their centroid."""
    empty = np.flatnonzero(np.bincount(label, minlength=number) == 0)
    if not len(empty):
        return label
    far = np.argsort(-distance, kind="stable")[: len(empty)]
    far, found = far[distance[far] > 0], label.copy()
    found[far] = empty[: len(far)]
    return found


def _sums(rows: np.ndarray, label: np.ndarray, number: int) -> np.ndarray:
    members = sparse.csr_matrix((np.ones(len(rows)), (label, np.arange(len(rows)))), (number, len(rows)))
    return np.asarray(members @ rows)


def _sizes(label: np.ndarray, number: int) -> np.ndarray:
    return np.maximum(np.bincount(label, minlength=number), 1)[:, None]
