"""Which items have an id of their own, and how often training saw them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from training.data.catalogue import Catalogue
from training.data.users import Examples


@dataclass(frozen=True)
class Vocabulary:
    """Item ids in the order of the model's ids 1, 2, ...; id 0 is every other item."""

    item_ids: pa.Array
    frequency: np.ndarray

    def ids(self, catalogue: Catalogue) -> np.ndarray:
        """[items] id of each item of a catalogue."""
        found = pc.index_in(catalogue.item_ids, value_set=self.item_ids)
        return pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64) + 1


def count_items(examples: Examples, last_day: int, items: int) -> np.ndarray:
    """[items] events with each item that training may see: none after `last_day`."""
    past, future = examples.past, examples.future
    seen = np.zeros(items, dtype=np.int64)
    for events, row_counts in ((past, True), (future, examples.is_train[future.rows])):
        known = (events.item >= 0) & (events.day <= last_day) & row_counts
        seen += np.bincount(events.item[known], minlength=items)
    return seen


def vocabulary_of(catalogue: Catalogue, seen: np.ndarray, before: Vocabulary | None = None) -> Vocabulary:
    """The items seen at least once, appended to those of an earlier vocabulary.

    An item keeps its id, even if it is no longer seen; its frequency is then 0.
    """
    met = np.flatnonzero(seen > 0)
    if before is not None:
        met = met[before.ids(catalogue)[met] == 0]
    item_ids = catalogue.item_ids.take(pa.array(met))
    if before is not None:
        item_ids = pa.concat_arrays([before.item_ids, item_ids])
    return Vocabulary(item_ids, np.append(seen, 0)[catalogue.positions(item_ids)])
