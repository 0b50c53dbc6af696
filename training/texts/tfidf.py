"""Text to unit vectors by TF-IDF over hashed words and word pairs, reduced to a few dimensions by SVD.

Source: latent semantic analysis (Deerwester et al. 1990). A baseline for the language model.
"""

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import svds
from torch import Tensor, from_numpy

HASHES, WIDTH, SEED = 2**14, 128, 5


def fit_tfidf(texts: list[str]) -> dict[str, Tensor]:
    """`idf` [hashes] and `directions` [hashes, width], fitted on the distinct texts."""
    counts = _counts(sorted(set(texts)))
    known = np.asarray((counts > 0).sum(axis=0)).ravel()
    idf = np.log((1 + counts.shape[0]) / (1 + known)) + 1
    weighted = _weighted(counts, idf)
    width = min(WIDTH, min(weighted.shape) - 1)
    if width < 1:
        directions = np.zeros((HASHES, 1))
    else:
        start = np.random.default_rng(SEED).normal(size=min(weighted.shape))
        directions = svds(weighted, k=width, v0=start)[2].T
    weights = {"idf": idf, "directions": directions}
    return {name: from_numpy(np.float32(np.round(w, 7))) for name, w in weights.items()}


def tfidf_vectors(weights: dict[str, Tensor], texts: list[str]) -> np.ndarray:
    """[texts, width] vectors, zeros where no word is known; lengths are not 1."""
    directions = weights["directions"].numpy()
    weighted = _weighted(_counts(texts), weights["idf"].numpy())
    return np.asarray(weighted @ directions.astype(np.float64))


def _counts(texts: list[str]) -> csr_matrix:
    from sklearn.feature_extraction.text import HashingVectorizer

    reader = HashingVectorizer(n_features=HASHES, ngram_range=(1, 2), norm=None, alternate_sign=False, dtype=np.float64)
    return reader.transform(texts)


def _weighted(counts: csr_matrix, idf: np.ndarray) -> csr_matrix:
    """Rows of length 1, or 0."""
    weighted = counts.multiply(np.asarray(idf, np.float64)).tocsr()
    norm = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return diags(1 / np.where(norm > 0, norm, 1)).tocsr() @ weighted
