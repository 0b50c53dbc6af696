"""The items of one day as topics see them: text vectors in half precision, and the columns that names come from."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from training.data.arrow import Column, plain, vectors
from training.texts.item_texts import text_hash

NO_TEXT = text_hash("")  # of an item without any text (or picture)
HALF = np.float16  # rounding by 0.001 moves no item, and a million items take half the memory
READ_AT_ONCE = 16_384
COLUMNS = ("title", "category", "brand")

BEHAVIOUR_WIDTH = 64
AROUND = 1.5  # weight of an item's neighbours, relative to its own text
USUAL = 5.0  # evidence (in bits) at which half of that weight applies
COLUMNS_AT_ONCE = 64
ROWS_AT_ONCE = 65_536
SEED = 7


@dataclass(frozen=True)
class DayItems:
    """Items in order of `item_id`; rows of `text` have length 1, or 0 where there is no text."""

    ids: pa.Array
    platform: pa.Array
    text: np.ndarray  # [items, width] HALF
    encoder: str
    facts: pa.Table  # COLUMNS, a row for each item

    def __len__(self) -> int:
        return len(self.ids)

    def positions(self, item_ids: Column) -> np.ndarray:
        """Positions of items, -1 for those that are null or unknown."""
        return positions(item_ids, self.ids)


def read_items(embeddings: arrow_dataset.Dataset, items: arrow_dataset.Dataset) -> DayItems:
    """From a day's `item_embeddings` and `items`; vectors are read batch by batch."""
    names = embeddings.to_table(["item_id", "encoder", "text_hash"]).sort_by("item_id")
    ids = plain(names["item_id"])
    known = pc.not_equal(plain(names["text_hash"]), NO_TEXT).to_numpy(zero_copy_only=False)
    text = _text(embeddings, ids)
    text[~known] = 0
    facts = items.to_table(["item_id", *COLUMNS]).sort_by("item_id")
    place = pa.array(positions(ids, plain(facts["item_id"])))
    encoder = names["encoder"][0].as_py() if len(ids) else ""
    platform = pc.list_element(pc.split_pattern(ids, ":", max_splits=1), 0)
    return DayItems(ids, platform, text, encoder, facts.select(COLUMNS).take(place))


def positions(values: Column, among: pa.Array) -> np.ndarray:
    """Position of each value among distinct ones, -1 where it is null or missing."""
    found = pc.index_in(plain(values), value_set=among, skip_nulls=True)
    return pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)


def _text(embeddings: arrow_dataset.Dataset, ids: pa.Array) -> np.ndarray:
    text = np.zeros((len(ids), 0), HALF)
    columns = ["item_id", "embedding"]
    for batch in embeddings.to_batches(columns=columns, batch_size=READ_AT_ONCE, batch_readahead=1):
        if not batch.num_rows:
            continue
        found = vectors(batch["embedding"])
        if not text.shape[1]:
            text = np.zeros((len(ids), found.shape[1]), HALF)
        text[positions(batch["item_id"], ids)] = found
    return text


def item_vectors(text: np.ndarray, weights: sparse.csr_matrix) -> np.ndarray:
    """[items, text width + behaviour width + 1] HALF, rows of length 1.

    The last column is 1 for items about which nothing is known.
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
    """[items, BEHAVIOUR_WIDTH] rows of length 1, or 0 if an item has no neighbour."""
    found = np.zeros((weights.shape[0], BEHAVIOUR_WIDTH), np.float32)
    width = min(BEHAVIOUR_WIDTH, weights.shape[0] - 1)
    if width < 1 or not weights.nnz:
        return found
    svd = TruncatedSVD(width, random_state=SEED)
    rows = svd.fit_transform(weights.astype(np.float64))
    rows = _faced(rows / np.sqrt(np.maximum(svd.singular_values_, 1e-9)))
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    found[:, :width] = np.where(length > 1e-6, rows / np.maximum(length, 1e-6), 0)
    return found


def _faced(rows: np.ndarray) -> np.ndarray:
    """The same rows, rotated to be as close as possible to fixed directions (Schonemann 1966).

    The axes of an SVD are arbitrary: their signs, and the axes themselves if singular values are equal, depend on the
    last digits. Angles between rows do not change, and the rows are now the same everywhere.
    """
    directions = np.random.RandomState(SEED).normal(size=rows.shape)
    left, _, right = np.linalg.svd(rows.T @ directions)
    return np.asarray(rows @ (left @ right))


def _unit(rows: np.ndarray) -> np.ndarray:
    wide = rows.astype(np.float32)
    length = np.linalg.norm(wide, axis=1)
    wide[length < 1e-6, -1] = 1
    return wide / np.where(length < 1e-6, 1, length)[:, None]
