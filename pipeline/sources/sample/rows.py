"""Rows of the sample before they are written: columns of numpy arrays, one element per row."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np


class Kind(IntEnum):
    """Event types, in the order of the canonical vocabulary."""

    IMPRESSION = 0
    VIEW = 1
    SEARCH = 2
    CART = 3
    FAVORITE = 4
    PURCHASE = 5
    RETURN = 6
    REVIEW = 7


class Fate(IntEnum):
    """What was planted in a row, and so what the pipeline should make of it."""

    CLEAN = 0
    LATE = 1  # an event: 1 to 3 days late
    SKEWED = 2  # an event: a device clock runs ahead by up to 6 h
    EXACT_DUPLICATE = 3
    NEAR_DUPLICATE = 4
    BAD_TIME = 5
    NO_USER = 6
    BROKEN_LINE = 7
    SHIFTED_COLUMNS = 8
    BOT = 9
    TOO_LATE = 10
    IN_FUTURE = 11


EVENT_FATES = (Fate.CLEAN, Fate.LATE, Fate.SKEWED)
MALFORMED_FATES = (Fate.BAD_TIME, Fate.NO_USER, Fate.BROKEN_LINE, Fate.SHIFTED_COLUMNS)


@dataclass
class Rows:
    """-1 (or NaN) stands for "no value". Times are UTC milliseconds, prices cents."""

    user: np.ndarray
    time: np.ndarray
    kind: np.ndarray
    item: np.ndarray
    price: np.ndarray
    quantity: np.ndarray
    phrase: np.ndarray
    rating: np.ndarray
    order: np.ndarray
    campaign: np.ndarray
    propensity: np.ndarray
    fate: np.ndarray

    @classmethod
    def of(cls, user: np.ndarray, time: np.ndarray, kind: int, **columns: np.ndarray | int) -> Rows:
        """Rows of one kind; columns that are not given hold "no value"."""
        given = {"user": user, "time": time, "kind": kind, **columns}
        return cls(
            **{
                name: np.broadcast_to(np.asarray(given.get(name, default), dtype=dtype), np.shape(user))
                for name, (dtype, default) in COLUMNS.items()
            }
        )

    @classmethod
    def concat(cls, parts: list[Rows]) -> Rows:
        """All parts, one after the other; an empty list gives no rows."""
        parts = [cls.of(np.empty(0), np.empty(0), 0), *parts]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS})

    def take(self, index: np.ndarray) -> Rows:
        """Rows by position or by mask."""
        return Rows(**{name: getattr(self, name)[index] for name in COLUMNS})

    def __len__(self) -> int:
        return len(self.user)


COLUMNS: dict[str, tuple[type, float]] = {
    "user": (np.int32, -1),
    "time": (np.int64, 0),
    "kind": (np.int8, 0),
    "item": (np.int32, -1),
    "price": (np.int32, -1),
    "quantity": (np.int16, -1),
    "phrase": (np.int32, -1),
    "rating": (np.int8, -1),
    "order": (np.int64, -1),
    "campaign": (np.int8, -1),
    "propensity": (np.float64, np.nan),
    "fate": (np.int8, Fate.CLEAN),
}
assert list(COLUMNS) == [field.name for field in fields(Rows)]
