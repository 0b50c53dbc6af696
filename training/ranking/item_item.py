"""Item-item weights: [items, items] matrices from users' engagements."""

from typing import TypeAlias

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from pipeline.runtime.near_ties import SINGLE

Weights: TypeAlias = np.ndarray | sparse.csr_matrix
DENSE = 0.1  # a matrix with at least this share of non-zero cells is kept dense
STEPS = 3  # how many steps apart two events may be and still follow each other
BLOCK_CELLS = 32_000_000


def ease(interactions: sparse.csr_matrix, l2: float) -> np.ndarray:
    """Closed-form linear autoencoder with a zero diagonal (Steck 2019); score = row @ weights.

    One Cholesky factorisation in float32: n^3 operations and 4 n^2 bytes for n items.
    """
    gram = (interactions.T @ interactions).toarray().astype(np.float32)
    gram[np.diag_indices_from(gram)] += l2
    factor, _ = lapack.spotrf(gram, lower=1, overwrite_a=1)
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def cosine(interactions: sparse.csr_matrix, shrink: float) -> Weights:
    """Cosine between the columns; norms are enlarged by `shrink` so that rare items do not look identical."""
    norm = np.sqrt(np.asarray(interactions.multiply(interactions).sum(axis=0)).ravel()) + shrink
    scaled = interactions @ sparse.diags(1 / norm)
    similar = (scaled.T @ scaled).tocsr()
    similar.setdiag(0)
    return packed(similar)


def carried(profiles: sparse.csr_matrix, bought: sparse.csr_matrix) -> Weights:
    """What similar users engaged with: profile @ weights sums over all users, weighted by their cosine.

    That is user kNN with all users as neighbours, folded into one item-item matrix. `profiles` has rows of length 1;
    both are [users, items].
    """
    return packed((profiles.T @ bought).tocsr())


def followed(row: np.ndarray, item: np.ndarray, place: np.ndarray, items: int, shrink: float) -> Weights:
    """[from, to] how often an item comes one to three steps after another; nearer ones count more.

    A user's events have places 0, 1, ... starting at the newest. Rows are divided by their sums plus `shrink`: a
    first-order Markov chain, smoothed by skips.
    """
    order = np.lexsort((place, row))
    row, item = row[order], item[order]
    found = sparse.csr_matrix((items, items), dtype=np.float32)
    for step in range(1, STEPS + 1):
        same = row[step:] == row[:-step]
        newer, older = item[:-step][same], item[step:][same]
        ones = np.full(len(newer), 1 / step, dtype=np.float32)
        found = found + sparse.csr_matrix((ones, (older, newer)), (items, items))
    total = np.asarray(found.sum(axis=1)).ravel() + shrink
    return packed((sparse.diags(1 / total) @ found).tocsr())


def nearest(vectors: np.ndarray, floor: float, most: int) -> Weights:
    """Squared cosine above `floor`, for the `most` nearest of each row (more in case of ties); rows have length 1.

    Works on blocks of rows: memory is bounded by a block times all rows.
    """
    blocks = [
        _nearest(vectors, start, floor, most)
        for start in range(0, len(vectors), max(1, BLOCK_CELLS // max(len(vectors), 1)))
    ]
    return packed(sparse.vstack(blocks).tocsr().T.tocsr())


def _nearest(vectors: np.ndarray, start: int, floor: float, most: int) -> sparse.csr_matrix:
    block = vectors[start : start + max(1, BLOCK_CELLS // len(vectors))]
    alike = np.maximum(block @ vectors.T - floor, 0) ** 2
    alike[np.arange(len(block)), np.arange(start, start + len(block))] = 0
    if most < alike.shape[1]:
        least = -np.partition(-alike, most - 1, axis=1)[:, most - 1 : most]
        alike[alike < least - SINGLE * alike.max(axis=1, keepdims=True)] = 0
    return sparse.csr_matrix(alike)


def packed(weights: sparse.csr_matrix) -> Weights:
    """A dense array if a sparse matrix would be no smaller and slower."""
    cells = weights.shape[0] * weights.shape[1]
    return weights.toarray() if weights.nnz > DENSE * cells else weights


def dense(weights: Weights) -> np.ndarray:
    """The same as an array."""
    return weights if isinstance(weights, np.ndarray) else weights.toarray()


def times(rows: sparse.csr_matrix, weights: Weights) -> np.ndarray:
    """[users, items] dense product."""
    return dense(rows @ weights)


def cells(weights: Weights, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """[pairs] single cells."""
    return np.asarray(weights[row, column]).ravel() if len(row) else np.zeros(0)


def unit_rows(interactions: sparse.csr_matrix, weights: np.ndarray) -> sparse.csr_matrix:
    """Columns weighted, then rows scaled to length 1; rows of zeros stay so."""
    weighted = interactions @ sparse.diags(weights)
    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return (sparse.diags(1 / np.where(length > 0, length, 1)) @ weighted).tocsr()
