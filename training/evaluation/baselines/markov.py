"""First-order Markov chain over moments, smoothed by item-item cosine."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.data.sequences import Sequences
from training.evaluation.baselines.known import LISTS, Known
from training.ranking.item_item import cosine, dense

SHRINK = 3.0
SMOOTHING = 5.0  # the cosine weighs like this many transitions


@dataclass(frozen=True)
class Markov:
    """P(next item | an item of the newest moment), averaged over that moment's items."""

    known: Known
    chances: np.ndarray  # [core, core]
    newest: sparse.csr_matrix  # [users, core] shares of the newest moment
    lists: tuple[str, ...] = LISTS

    def scores(self, rows: np.ndarray) -> np.ndarray:
        return self.known.whole(self.newest[rows] @ self.chances)


def fit(known: Known) -> Markov:
    """Transitions lead from all items of one moment of a user to all items of the user's next moment."""
    row, moments = _moments(known)
    share = _unit_sums(moments)
    follows = np.flatnonzero(row[1:] == row[:-1])
    counts = (share[follows].T @ moments[follows + 1]).toarray().astype(np.float32)
    alike = dense(cosine(known.binary, SHRINK))
    alike /= np.maximum(alike.sum(axis=1, keepdims=True), 1e-9)
    chances = (counts + SMOOTHING * alike) / (counts.sum(axis=1, keepdims=True) + SMOOTHING)
    last = np.flatnonzero(np.diff(row, append=-1))
    newest = sparse.csr_matrix((np.ones(len(last), np.float32), (row[last], last)), (known.engaged.users, len(row)))
    return Markov(known, chances, (newest @ share).tocsr())


def _moments(known: Known) -> tuple[np.ndarray, sparse.csr_matrix]:
    """The user of each moment with an item of the core, and [moments, core] its items."""
    past = known.past
    column = np.full(known.items, -1)
    column[known.core] = np.arange(len(known.core))
    kept = np.flatnonzero(past.engaged)
    kept = kept[column[past.item[kept]] >= 0]
    moment = np.unique(_moment(past)[kept], return_inverse=True)[1]
    first = np.flatnonzero(np.diff(moment, prepend=-1))
    where = (moment, column[past.item[kept]])
    shape = (len(first), len(known.core))
    items = sparse.csr_matrix((np.ones(len(kept), np.float32), where), shape)
    items.data[:] = 1  # an item counts once per moment
    return past.rows[kept][first], items


def _moment(past: Sequences) -> np.ndarray:
    """A number for each event that grows when time passes or the next user begins."""
    starts = np.zeros(len(past.item), dtype=bool)
    starts[past.offsets[:-1][np.diff(past.offsets) > 0]] = True
    return np.cumsum(starts | (past.gap > 0))


def _unit_sums(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    return (sparse.diags(1 / np.maximum(sums, 1)).astype(np.float32) @ matrix).tocsr()
