"""Item-item weights: [items, items] matrices from who turned to what."""

import numpy as np
from scipy import sparse
from scipy.linalg import lapack


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


def cosine(interactions: sparse.csr_matrix, shrink: float) -> np.ndarray:
    """Cosine between the columns, norms enlarged by `shrink` so that rare items are not twins."""
    norm = np.sqrt(np.asarray(interactions.multiply(interactions).sum(axis=0)).ravel()) + shrink
    scaled = interactions @ sparse.diags(1 / norm)
    similar = (scaled.T @ scaled).toarray().astype(np.float32)
    np.fill_diagonal(similar, 0)
    return similar


def carried(profiles: sparse.csr_matrix, bought: sparse.csr_matrix) -> np.ndarray:
    """What users who are alike turned to: profile @ weights sums over all users, by their cosine.

    That is user kNN with all users as neighbours, folded into one item-item matrix. `profiles` has
    rows of length 1; both are [users, items].
    """
    return (profiles.T @ bought).toarray().astype(np.float32)


def unit_rows(interactions: sparse.csr_matrix, weights: np.ndarray) -> sparse.csr_matrix:
    """Columns weighted, then rows scaled to length 1; rows of zeros stay so."""
    weighted = interactions @ sparse.diags(weights)
    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return (sparse.diags(1 / np.where(length > 0, length, 1)) @ weighted).tocsr()
