"""The items that can be ranked, with their text vectors: `item_embeddings` of one day."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import open_day
from pipeline.tables.registry import ITEM_EMBEDDINGS, ITEMS
from pipeline.tables.schema import Table
from training.data import distributed
from training.data.arrow import day_numbers, vectors
from training.data.scope import EVERYTHING, Scope
from training.texts.encoders import encoder_of
from training.texts.event_texts import EventTexts

PICTURE_COLUMNS = re.compile(r" \+ .*:(\d+)$")

Pins = Mapping[str, int]  # table -> snapshot to read instead of the newest
NO_PINS: Pins = {}


@dataclass(frozen=True)
class Catalogue:
    """Items in order of `item_id`, so position breaks ties between scores; -1 means no item.

    `platform` indexes `platforms`; `first_day` counts days since 1970 (0 where unknown).
    """

    item_ids: pa.Array
    text: np.ndarray  # [items, text width] float32
    platforms: tuple[str, ...]
    platform: np.ndarray  # [items] int64
    first_day: np.ndarray  # [items] int32
    encoder: str  # who wrote `text`
    texts: EventTexts | None = None  # vectors of other texts by the same encoder

    def __len__(self) -> int:
        return len(self.item_ids)

    @property
    def picture_columns(self) -> int:
        """How many of the last columns of `text` describe the picture: the encoder's name ends with this number."""
        found = PICTURE_COLUMNS.search(self.encoder)
        return int(found[1]) if found else 0

    def vectors_of(self, texts: list[str]) -> np.ndarray:
        """[texts, text width] vectors of texts, in the space of the items."""
        if not texts:
            return np.zeros((0, self.text.shape[1]), np.float32)
        assert self.texts is not None, "a catalogue that reads texts has an encoder"
        return self.texts.vectors(texts)

    def positions(self, item_ids: pa.Array) -> np.ndarray:
        """Positions of items, -1 for those that are null or unknown."""
        found = pc.index_in(item_ids, value_set=self.item_ids)
        return pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int32)


def build_catalogue(embeddings: pa.Table, items: pa.Table | None = None) -> Catalogue:
    """The catalogue of one day; `items` says when an item was first known.

    Raises ModelError when there is no item, or when two encoders wrote the vectors.
    """
    if not embeddings.num_rows:
        raise ModelError("item_embeddings: expected items, found none; encode a day with items")
    encoders = pc.unique(embeddings["encoder"]).to_pylist()
    if len(encoders) > 1:
        raise ModelError(f"item_embeddings: expected one encoder, found {', '.join(encoders)}")
    ordered = embeddings.sort_by("item_id")
    item_ids = ordered["item_id"].combine_chunks()
    names = pc.list_element(pc.split_pattern(item_ids, ":", max_splits=1), 0).dictionary_encode()
    platforms = sorted(names.dictionary.to_pylist())
    rank = np.array([platforms.index(name) for name in names.dictionary.to_pylist()])
    return Catalogue(
        item_ids,
        vectors(ordered["embedding"]),
        tuple(platforms),
        rank[names.indices.to_numpy()].astype(np.int64),
        _first_days(item_ids, items),
        encoders[0],
    )


def _first_days(item_ids: pa.Array, items: pa.Table | None) -> np.ndarray:
    if items is None:
        return np.zeros(len(item_ids), dtype=np.int32)
    days = np.append(day_numbers(items["first_ds"]), 0).astype(np.int32)
    found = pc.index_in(item_ids, value_set=items["item_id"].combine_chunks())
    return days[pc.fill_null(found, -1).to_numpy(zero_copy_only=False)]


def open_table(settings: Settings, table: Table, ds: str, pins: Pins) -> tuple[int, arrow_dataset.Dataset]:
    """One published day, from the pinned snapshot or the one that all processes agreed on."""
    pinned = pins.get(table.name)
    return open_day(settings, table, ds, lambda newest: pinned or distributed.agreed(newest))


def load_catalogue(
    settings: Settings, ds: str, scope: Scope = EVERYTHING, pins: Pins = NO_PINS
) -> tuple[Catalogue, dict[str, int]]:
    """The items of a day, and the snapshots they were read from."""
    inputs = {}
    inputs[ITEM_EMBEDDINGS.name], embeddings = open_table(settings, ITEM_EMBEDDINGS, ds, pins)
    inputs[ITEMS.name], items = open_table(settings, ITEMS, ds, pins)
    rows = scope.items(embeddings), items.to_table(["item_id", "first_ds"])
    return with_texts(settings, build_catalogue(*rows)), inputs


def with_texts(settings: Settings, catalogue: Catalogue) -> Catalogue:
    """The catalogue with an encoder for users' queries and reviews."""
    file = settings.home / "encoders" / "texts.db"
    width = catalogue.text.shape[1]
    texts = EventTexts(catalogue.encoder, width, file, partial(encoder_of, settings, catalogue.encoder))
    return replace(catalogue, texts=texts)
