"""Implicit ALS (Hu, Koren, Volinsky 2008), solved by conjugate gradients (Takács et al. 2011)."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.evaluation.baselines.known import LISTS, Known

FACTORS, ROUNDS, STEPS = 128, 8, 3
REGULAR, ALPHA = 10.0, 1.0
USERS = 50_000  # users that the item factors are fitted on
CHUNK = 200_000  # entries whose factors are held at once
SEED = 7


@dataclass(frozen=True)
class Als:
    """A user's factors are solved from its own history on demand."""

    known: Known
    counts: sparse.csr_matrix  # [users, core] days with the item
    factors: np.ndarray  # [core, FACTORS]
    lists: tuple[str, ...] = LISTS

    def scores(self, rows: np.ndarray) -> np.ndarray:
        users = np.zeros((len(rows), self.factors.shape[1]), np.float32)
        users = improve(users, self.factors, self.counts[rows], 3 * STEPS)
        return self.known.whole(users @ self.factors.T)


def fit(known: Known) -> Als:
    """Confidence 1 + ALPHA x days with the item."""
    counts = known.engaged.matrix(known.engaged.pairs.days)[:, known.core].tocsr()
    learned = counts[:USERS]
    generator = np.random.default_rng(SEED)
    items = generator.normal(0, 0.1, (learned.shape[1], FACTORS)).astype(np.float32)
    users = np.zeros((learned.shape[0], FACTORS), np.float32)
    by_item = learned.T.tocsr()
    for _ in range(ROUNDS):
        users = improve(users, items, learned, STEPS)
        items = improve(items, users, by_item, STEPS)
    return Als(known, counts, items)


def improve(found: np.ndarray, other: np.ndarray, counts: sparse.csr_matrix, steps: int) -> np.ndarray:
    """Takes conjugate-gradient steps towards the least-squares factors, for all rows at once."""
    gram = other.T @ other + REGULAR * np.eye(other.shape[1], dtype=np.float32)
    target = sparse.csr_matrix((1 + ALPHA * counts.data, counts.indices, counts.indptr), counts.shape)
    residual = target @ other - _normal(found, other, counts, gram)
    direction, size = residual, (residual**2).sum(axis=1, keepdims=True)
    for _ in range(steps):
        bent = _normal(direction, other, counts, gram)
        step = size / np.maximum((direction * bent).sum(axis=1, keepdims=True), 1e-12)
        found, residual = found + step * direction, residual - step * bent
        size, before = (residual**2).sum(axis=1, keepdims=True), size
        direction = residual + size / np.maximum(before, 1e-12) * direction
    return found


def _normal(vectors: np.ndarray, other: np.ndarray, counts: sparse.csr_matrix, gram: np.ndarray) -> np.ndarray:
    """Each row's normal matrix times its vector: gram + ALPHA x sum of counts x outer products."""
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    weight = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), CHUNK):
        part = slice(start, start + CHUNK)
        weight[part] = np.einsum("ef,ef->e", vectors[rows[part]], other[counts.indices[part]])
    pulled = sparse.csr_matrix((ALPHA * counts.data * weight, counts.indices, counts.indptr), counts.shape)
    return np.asarray(vectors @ gram + pulled @ other, dtype=np.float32)
