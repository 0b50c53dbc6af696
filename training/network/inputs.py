"""Inputs of the network: events of users as tokens, then as tensors."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from training.data.catalogue import Catalogue
from training.data.sequences import Sequences


@dataclass(frozen=True)
class Tokens:
    """[rows, 1 + events] inputs; position 0 opens every sequence, so that no sequence is empty.

    `item` is a catalogue position, `said` a position in the texts of the sequences, -1 where there is none; `last` is
    the position of the newest event.
    """

    item: np.ndarray
    kind: np.ndarray  # 1 + index of EVENT_TYPES
    platform: np.ndarray  # 1 + index of the catalogue's platforms
    gap: np.ndarray
    price: np.ndarray
    last: np.ndarray
    said: np.ndarray


def tokens(past: Sequences, rows: np.ndarray, catalogue: Catalogue, events: int) -> Tokens:
    """The newest `events` events of the rows, left-aligned after the opening position."""
    end = past.offsets[rows + 1]
    last = np.minimum(end - past.offsets[rows], events)
    slots = np.arange(1, events + 1)[None, :]
    inside = slots <= last[:, None]
    place = np.where(inside, (end - last)[:, None] + slots - 1, 0)

    def column(values: np.ndarray, empty: int) -> np.ndarray:
        read = values[place] if len(values) else np.full(place.shape, empty)
        filled = np.where(inside, read, empty).astype(np.int64)
        return np.concatenate([np.full((len(rows), 1), empty), filled], axis=1)

    item = column(past.item, -1)
    platform = np.where(item >= 0, catalogue.platform[item] + 1, 0)
    return Tokens(
        item,
        column(past.kind + 1, 0),
        platform,
        column(past.gap, 0),
        column(past.price, 0),
        last,
        column(past.said, -1),
    )


@dataclass(frozen=True)
class Inputs:
    """Tensors of `Tokens`, with items numbered by the rows of the item vectors at hand.

    `item` is 0 where there is none, else 1 + the row in `item_vectors`' result. In the same way `said` numbers the rows
    of `texts`, the vectors of queries and reviews; None: no texts are read.
    """

    item: Tensor
    kind: Tensor
    platform: Tensor
    gap: Tensor
    price: Tensor
    said: Tensor | None = None
    texts: Tensor | None = None

    @cached_property
    def last(self) -> Tensor:
        """[rows] the position of each row's newest event: padding has no kind, like position 0."""
        return (self.kind > 0).sum(dim=1)


def inputs_of(read: Tokens, touched: np.ndarray, device: torch.device) -> Inputs:
    """Tensors of tokens; `touched` are the sorted catalogue positions whose vectors are at hand."""
    local = np.where(read.item >= 0, np.searchsorted(touched, read.item) + 1, 0)
    arrays = (local, read.kind, read.platform, read.gap, read.price)
    return Inputs(*(torch.from_numpy(array).to(device) for array in arrays))


def with_texts(inputs: Inputs, read: Tokens, past: Sequences, catalogue: Catalogue) -> Inputs:
    """Inputs with the texts of the tokens' events."""
    distinct = np.unique(read.said[read.said >= 0])
    texts = catalogue.vectors_of(past.texts.take(pa.array(distinct)).to_pylist())
    said = np.where(read.said >= 0, np.searchsorted(distinct, read.said) + 1, 0)
    device = inputs.item.device
    tensors = (torch.from_numpy(array).to(device) for array in (said, texts))
    return replace(inputs, **dict(zip(("said", "texts"), tensors, strict=True)))
