"""What rankings are asked to predict: the items that users interacted with after their cut-off."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from training.data.sequences import Sequences
from training.data.users import Examples


@dataclass(frozen=True)
class Answers:
    """(user, item, day after the cut-off); a user is its position among the judged users.

    Items that were not known at the cut-off are answers too: no ranker can list them, and all are asked for them.
    """

    user: np.ndarray
    item: np.ndarray
    day: np.ndarray  # 1 = the day after the cut-off
    users: int
    items: int

    @cached_property
    def codes(self) -> np.ndarray:
        """Distinct user * items + item, sorted."""
        return np.unique(self.user.astype(np.int64) * self.items + self.item)

    @cached_property
    def number(self) -> np.ndarray:
        """[users] number of right items."""
        return np.bincount(self.codes // self.items, minlength=self.users)

    def hits(self, places: np.ndarray) -> np.ndarray:
        """[users, k] whether the item at each place of a list is right; position -1 never is right."""
        codes = np.arange(self.users)[:, None] * self.items + places
        if not len(self.codes):
            return np.zeros(places.shape, dtype=bool)
        found = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return (self.codes[found] == codes) & (places >= 0)

    def dense(self, first: int, last: int) -> np.ndarray:
        """[last - first, items] for the users `first` to `last`."""
        found = np.zeros((last - first, self.items), dtype=bool)
        start, end = np.searchsorted(self.codes, [first * self.items, last * self.items])
        found.ravel()[self.codes[start:end] - first * self.items] = True
        return found

    def within(self, first: int, last: int) -> "Answers":
        """The answers of days `first` to `last` after the cut-off."""
        return self._only((self.day >= first) & (self.day <= last))

    def among(self, chosen: np.ndarray) -> "Answers":
        """The answers whose items are chosen, [items] bool."""
        return self._only(chosen[self.item])

    def new_to(self, past: Sequences, rows: np.ndarray) -> "Answers":
        """The answers that are not in the users' own history, whatever the event type there."""
        place, event = past.events_of(rows)
        known = past.item[event] >= 0
        touched = np.unique(place[known].astype(np.int64) * self.items + past.item[event][known])
        codes = self.user.astype(np.int64) * self.items + self.item
        return self._only(~np.isin(codes, touched))

    def _only(self, kept: np.ndarray) -> "Answers":
        return replace(self, user=self.user[kept], item=self.item[kept], day=self.day[kept])


def answers_of(examples: Examples, rows: np.ndarray, items: int) -> Answers:
    """The answers of the users `rows`; `items` is the size of the catalogue."""
    place, event = examples.future.events_of(rows)
    kept = examples.future.engaged[event]
    place, event = place[kept], event[kept]
    day = examples.future.arrival[event] - examples.as_of[rows][place]
    return Answers(place, examples.future.item[event], day, len(rows), items)


def rows_with_answers(examples: Examples) -> np.ndarray:
    """Rows with at least one answer; for the others no ranking can be judged."""
    return np.unique(examples.future.rows[examples.future.engaged])
