"""TIFU-kNN (Hu et al. 2020): decayed item frequencies of the user and of similar users."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pipeline.runtime.near_ties import SINGLE, among_best
from training.evaluation.baselines.known import LISTS, TIE, Known
from training.ranking.engagements import OLDEST, Engagements

GROUPS = 7
WITHIN, ACROSS = 0.9, 1.0  # decay from one day of a group to the previous day; from group to group
NEIGHBOURS, OWN = 900, 0.7
POOL = 20_000  # users that may be neighbours
CELLS = 4_000_000  # users x users held at once


@dataclass(frozen=True)
class TifuKnn:
    """`vectors` [users, items]; the neighbours of a user come from the first POOL users."""

    vectors: sparse.csr_matrix
    popular: np.ndarray
    lists: tuple[str, ...] = LISTS

    def scores(self, rows: np.ndarray) -> np.ndarray:
        pool = self.vectors[:POOL]
        size = max(1, CELLS // max(1, pool.shape[0]))
        parts = [self._part(rows[i : i + size], pool) for i in range(0, len(rows), size)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.popular)), np.float32)

    def _part(self, rows: np.ndarray, pool: sparse.csr_matrix) -> np.ndarray:
        mine = self.vectors[rows]
        near = _nearest(mine, pool, rows)
        mixed = OWN * mine.toarray() + (1 - OWN) * (near @ pool).toarray()
        return (mixed + TIE * self.popular).astype(np.float32)


def fit(known: Known) -> TifuKnn:
    return TifuKnn(user_vectors(known.engaged), known.popular)


def user_vectors(engaged: Engagements) -> sparse.csr_matrix:
    """[users, items] mean over groups of days, newest first, of the mean over the group's days."""
    visits = engaged.visits
    user = visits // (OLDEST + 1)
    starts = np.flatnonzero(np.diff(user, prepend=-1))
    number = np.diff(np.append(starts, len(user)))
    size = np.repeat(-(-number // GROUPS), number)  # days of a group; the oldest may have fewer
    newest = np.arange(len(user)) - np.repeat(starts, number)
    group, within = np.divmod(newest, size)
    days = np.minimum(size, np.repeat(number, number) - group * size)
    groups = np.repeat(-(-number // size[starts]), number)
    weight = WITHIN**within * ACROSS**group / (days * groups)
    place = np.searchsorted(visits, engaged.row * (OLDEST + 1) + engaged.age)
    where = (engaged.row, engaged.item)
    shape = (engaged.users, engaged.items)
    return sparse.csr_matrix((weight[place].astype(np.float32), where), shape)


def _nearest(mine: sparse.csr_matrix, pool: sparse.csr_matrix, rows: np.ndarray) -> sparse.csr_matrix:
    """[users, pool] equal weights of the nearest others by Euclidean distance."""
    length = np.asarray(pool.multiply(pool).sum(axis=1)).ravel()
    distance = length[None, :] - 2 * (mine @ pool.T).toarray()
    inside = rows < pool.shape[0]
    distance[np.flatnonzero(inside), rows[inside]] = np.inf
    count = min(NEIGHBOURS, pool.shape[0] - 1)
    if count < 1:
        return sparse.csr_matrix((len(rows), pool.shape[0]), dtype=np.float32)
    where = np.nonzero(among_best(-distance, count, SINGLE))
    weight = np.full(len(where[0]), 1 / count, dtype=np.float32)
    return sparse.csr_matrix((weight, where), (len(rows), pool.shape[0]))
