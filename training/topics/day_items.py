"""The items of one day as topics see them: text vectors in half precision, and what names them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset

from training.data.arrow import Column, plain, vectors
from training.texts.item_texts import text_hash

NO_TEXT = text_hash("")  # of an item of which nothing is written (or pictured)
HALF = np.float16  # rounding of 0.001 moves no item; a million items take half the memory
ROWS_AT_ONCE = 16_384
COLUMNS = ("title", "category", "brand")


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
    for batch in embeddings.to_batches(columns=columns, batch_size=ROWS_AT_ONCE, batch_readahead=1):
        if not batch.num_rows:
            continue
        found = vectors(batch["embedding"])
        if not text.shape[1]:
            text = np.zeros((len(ids), found.shape[1]), HALF)
        text[positions(batch["item_id"], ids)] = found
    return text
