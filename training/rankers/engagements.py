"""Who turned to which item on which day, as known at one moment."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from training.sequences import Sequences

OLDEST = 1023  # days; what is older counts as that old


@dataclass(frozen=True)
class Pairs:
    """One entry per user and item, sorted by both. Ages are days before the moment."""

    row: np.ndarray
    item: np.ndarray
    days: np.ndarray  # on how many days
    newest: np.ndarray  # age of the last day
    oldest: np.ndarray  # age of the first day


@dataclass(frozen=True)
class Engagements:
    """Distinct (user, item, day), sorted by user, item and age; a user is its row."""

    row: np.ndarray
    item: np.ndarray
    age: np.ndarray  # days before the moment
    users: int
    items: int

    @cached_property
    def pairs(self) -> Pairs:
        code = self.row * self.items + self.item
        starts = np.flatnonzero(np.diff(code, prepend=-1))
        ends = np.append(starts[1:], len(code)) - 1
        return Pairs(
            self.row[starts], self.item[starts], ends - starts + 1, self.age[starts], self.age[ends]
        )

    @cached_property
    def visits(self) -> np.ndarray:
        """Distinct (user, age) as user * (OLDEST + 1) + age, sorted: the days of each user."""
        return np.unique(self.row * (OLDEST + 1) + self.age)

    def matrix(self, values: np.ndarray | None = None) -> sparse.csr_matrix:
        """[users, items] float32 with one value per pair; 1 where none are given."""
        pairs = self.pairs
        found = np.ones(len(pairs.row)) if values is None else values
        where = (pairs.row, pairs.item)
        return sparse.csr_matrix((found.astype(np.float32), where), (self.users, self.items))


def engagements(past: Sequences, rows: np.ndarray, as_of: int, items: int) -> Engagements:
    """Of the users `rows`, up to the day `as_of`; `items` is the size of the catalogue."""
    place, event = past.events_of(rows)
    kept = past.engaged[event] & (past.arrival[event] <= as_of)
    place, event = place[kept], event[kept]
    age = np.clip(as_of - past.arrival[event], 0, OLDEST)
    pair = place.astype(np.int64) * items + past.item[event]
    code = np.unique(pair * (OLDEST + 1) + age)
    pair, age = np.divmod(code, OLDEST + 1)
    row, item = np.divmod(pair, items)
    return Engagements(row, item, age, len(rows), items)
