"""Small histories by hand: (user, item, days ago) to sequences and engagements."""

from collections.abc import Sequence

import numpy as np

from pipeline.tables.registry import EVENT_TYPES
from training.data.sequences import Sequences
from training.ranking.engagements import Engagements, engagements

AS_OF, ITEMS = 20_000, 3
PURCHASE = EVENT_TYPES.index("purchase")


def past(events: Sequence[tuple[int, int, int]], users: int) -> Sequences:
    """Purchases; those of a user in order of time."""
    ordered = sorted(events, key=lambda event: (event[0], -event[2]))
    row, item, ago = (np.array([event[k] for event in ordered], dtype=np.int64) for k in range(3))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=users))])
    day, size = (AS_OF - ago).astype(np.int32), len(ordered)
    zeros, ones = np.zeros(size, dtype=np.int8), np.zeros(size, dtype=np.float32)
    kind = np.full(size, PURCHASE, dtype=np.int8)
    return Sequences(offsets, item.astype(np.int32), kind, zeros, zeros, day, day, ones, ones)


def known(events: Sequence[tuple[int, int, int]], users: int, items: int = ITEMS) -> Engagements:
    """Engagements of all users."""
    return engagements(past(events, users), np.arange(users), AS_OF, items)
