"""Who engaged with which item on which day, as known at one moment."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from training.data.sequences import Sequences

OLDEST = 1023  # days; anything older counts as this old
COLUMNS = ("item", "age", "place", "log_price", "log_quantity")

MARKET_USERS = 100_000


@dataclass(frozen=True)
class Pairs:
    """One entry per user and item, sorted by both. Ages are days before the moment."""

    row: np.ndarray
    item: np.ndarray
    days: np.ndarray  # on how many days
    newest: np.ndarray  # age of the last day
    oldest: np.ndarray  # age of the first day
    place: np.ndarray  # of the last day


@dataclass(frozen=True)
class Engagements:
    """Distinct (user, item, day), sorted by user, item and age; a user is its row."""

    row: np.ndarray
    item: np.ndarray
    age: np.ndarray  # days before the moment
    place: np.ndarray  # 0 = the user's newest, by the last event of each
    log_price: np.ndarray  # mean of the day, NaN where unknown
    log_quantity: np.ndarray
    users: int
    items: int

    def within(self, rows: np.ndarray, kept_items: np.ndarray) -> "Engagements":
        """The engagements of the users `rows` (sorted, then renumbered) with the `kept_items` [items]."""
        place = np.full(self.users, -1)
        place[rows] = np.arange(len(rows))
        kept = (place[self.row] >= 0) & kept_items[self.item]
        chosen = {name: getattr(self, name)[kept] for name in COLUMNS}
        return Engagements(place[self.row[kept]], **chosen, users=len(rows), items=self.items)

    def younger_than(self, days: int) -> "Engagements":
        """The same users, with only the engagements of the last `days`."""
        kept = self.age < days
        chosen = {name: getattr(self, name)[kept] for name in COLUMNS}
        return Engagements(self.row[kept], **chosen, users=self.users, items=self.items)

    @cached_property
    def pairs(self) -> Pairs:
        code = self.row * self.items + self.item
        starts = np.flatnonzero(np.diff(code, prepend=-1))
        ends = np.append(starts, len(code))[1:] - 1
        return Pairs(
            self.row[starts],
            self.item[starts],
            ends - starts + 1,
            self.age[starts],
            self.age[ends],
            self.place[starts],
        )

    @cached_property
    def visits(self) -> np.ndarray:
        """Distinct (user, age) as user * (OLDEST + 1) + age, sorted: the days of each user."""
        return np.unique(self.row * (OLDEST + 1) + self.age)

    def decayed(self, half_life: float) -> np.ndarray:
        """Per pair: its days, each halved every `half_life` days."""
        if not len(self.row):
            return np.zeros(0)
        code = self.row * self.items + self.item
        starts = np.flatnonzero(np.diff(code, prepend=-1))
        return np.add.reduceat(0.5 ** (self.age / half_life), starts)

    @cached_property
    def quantity(self) -> np.ndarray:
        """Per pair: log(1 + the sum of each day's usual quantity)."""
        if not len(self.row):
            return np.zeros(0)
        code = self.row * self.items + self.item
        starts = np.flatnonzero(np.diff(code, prepend=-1))
        return np.log1p(np.add.reduceat(np.exp(np.nan_to_num(self.log_quantity)), starts))

    def matrix(self, values: np.ndarray | None = None) -> sparse.csr_matrix:
        """[users, items] float32 with one value per pair; 1 if no values are given."""
        pairs = self.pairs
        found = np.ones(len(pairs.row)) if values is None else values
        where = (pairs.row, pairs.item)
        return sparse.csr_matrix((found.astype(np.float32), where), (self.users, self.items))


def engagements(past: Sequences, rows: np.ndarray, as_of: int, items: int) -> Engagements:
    """The engagements of the users `rows` up to the day `as_of`; `items` is the size of the catalogue."""
    place, event = past.events_of(rows)
    kept = past.engaged[event] & (past.arrival[event] <= as_of)
    place, event = place[kept], event[kept]
    age = np.clip(as_of - past.arrival[event], 0, OLDEST)
    pair = place.astype(np.int64) * items + past.item[event]
    code, inverse = np.unique(pair * (OLDEST + 1) + age, return_inverse=True)
    pair, age = np.divmod(code, OLDEST + 1)
    row, item = np.divmod(pair, items)
    price, quantity = (mean_by(inverse, values[event], len(code)) for values in (past.log_price, past.log_quantity))
    order = _places(row, inverse, event)
    return Engagements(row, item, age, order, price, quantity, len(rows), items)


def _places(row: np.ndarray, inverse: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Place of each event within its user, newest first; events are in order of time."""
    last = np.zeros(len(row), dtype=np.int64)
    np.maximum.at(last, inverse, event)
    order = np.lexsort((-last, row))
    starts = np.searchsorted(row, row)  # rows are sorted
    places = np.zeros(len(row), dtype=np.int64)
    places[order] = np.arange(len(row)) - starts
    return places


def merged(shares: list[Engagements], items: int) -> Engagements:
    """Engagements of different users combined; the users of the first come first."""
    starts = np.cumsum([0, *(share.users for share in shares)])
    columns = {
        name: np.concatenate([getattr(share, name) for share in shares] or [np.zeros(0, int)]) for name in COLUMNS
    }
    rows = [share.row + start for share, start in zip(shares, starts, strict=False)]
    row = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
    return Engagements(row, **columns, users=int(starts[-1]), items=items)


def mean_by(group: np.ndarray, values: np.ndarray, groups: int) -> np.ndarray:
    """[groups] mean of the values that are not NaN; NaN where there is none."""
    known = ~np.isnan(values)
    number = np.bincount(group[known], minlength=groups)
    total = np.bincount(group[known], values[known], groups)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def shares(users: int) -> int:
    """Number of equal shares of the users of which one is enough to describe items: this bounds memory."""
    return max(1, -(-users // MARKET_USERS))
