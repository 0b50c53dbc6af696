"""One vector per item from its text and its behaviour, all platforms in one space.

An item is its own text plus the mean text of what people turn to beside it: one step of a graph
convolution without weights (Wu et al. 2019, SGC). An item without text is its behaviour instead,
in columns of its own: the truncated SVD of the weights between such items.
"""

import numpy as np
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from training.topics.day_items import HALF

BEHAVIOUR_WIDTH = 64
AROUND = 1.5  # weight of what is around an item, beside its own text
USUAL = 5.0  # weights (bits of evidence) at which half of that is given
COLUMNS_AT_ONCE = 64
ROWS_AT_ONCE = 65_536
SEED = 7


def item_vectors(text: np.ndarray, weights: sparse.csr_matrix) -> np.ndarray:
    """[items, text width + behaviour width + 1] HALF, rows of length 1.

    The last column is 1 for the items of which nothing is known.
    """
    silent = np.flatnonzero(~text.any(axis=1))
    whole = np.hstack([text, np.zeros((len(text), BEHAVIOUR_WIDTH * bool(len(silent)) + 1), HALF)])
    if len(silent):
        whole[silent, text.shape[1] : -1] = _behaviour(weights[silent][:, silent])
    strength = np.asarray(weights.sum(axis=1)).ravel()
    mean = sparse.diags(AROUND / (strength + USUAL)).astype(np.float32) @ weights
    for start in range(0, whole.shape[1] - 1, COLUMNS_AT_ONCE):
        block = slice(start, min(start + COLUMNS_AT_ONCE, whole.shape[1] - 1))
        own = whole[:, block].astype(np.float32)
        whole[:, block] = own + mean @ own
    for start in range(0, len(whole), ROWS_AT_ONCE):
        whole[start : start + ROWS_AT_ONCE] = _unit(whole[start : start + ROWS_AT_ONCE])
    return whole


def _behaviour(weights: sparse.csr_matrix) -> np.ndarray:
    """[items, BEHAVIOUR_WIDTH] rows of length 1, or 0 where an item has no neighbour."""
    found = np.zeros((weights.shape[0], BEHAVIOUR_WIDTH), np.float32)
    width = min(BEHAVIOUR_WIDTH, weights.shape[0] - 1)
    if width < 1 or not weights.nnz:
        return found
    svd = TruncatedSVD(width, random_state=SEED)
    rows = svd.fit_transform(weights) / np.sqrt(np.maximum(svd.singular_values_, 1e-9))
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    found[:, :width] = np.where(length > 1e-6, rows / np.maximum(length, 1e-6), 0)
    return found


def _unit(rows: np.ndarray) -> np.ndarray:
    wide = rows.astype(np.float32)
    length = np.linalg.norm(wide, axis=1)
    wide[length < 1e-6, -1] = 1
    return wide / np.where(length < 1e-6, 1, length)[:, None]
