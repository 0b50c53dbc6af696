"""What rankers may know: the engagements of all users up to the cut-off, nothing after it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy import sparse

from training.data.sequences import Sequences
from training.data.users import UserStates
from training.ranking.engagements import Engagements, engagements

LISTS = ("next_items", "next_new_items")
CORE = 4096  # item-item weights cover this many most-engaged items
TIE = 1e-6  # what popularity adds where a ranker has no score


class Contestant(Protocol):
    """A fitted ranker."""

    @property
    def lists(self) -> tuple[str, ...]:
        """The published lists that it can rank."""

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """[rows, items] float32, not negative."""


@dataclass(frozen=True)
class Known:
    """All users of a fold as of its cut-off; a user is identified by its row."""

    past: Sequences
    engaged: Engagements
    core_size: int = CORE

    @classmethod
    def of(cls, states: UserStates, items: int, core_size: int = CORE) -> "Known":
        """`items` is the size of the catalogue."""
        as_of = int(states.as_of.max(initial=0))
        every = engagements(states.past, np.arange(len(states)), as_of, items)
        return cls(states.past, every, core_size)

    @property
    def items(self) -> int:
        return self.engaged.items

    def buyers(self, days: int) -> np.ndarray:
        """[items] distinct users of the last `days`, including the day of the cut-off."""
        pairs = self.engaged.pairs
        return np.bincount(pairs.item[pairs.newest < days], minlength=self.items)

    @cached_property
    def popular(self) -> np.ndarray:
        """[items] in [0, 1): popularity order in 14 days, then of all time; used to break ties."""
        ever = self.engaged.pairs.item
        score = self.buyers(14) + np.bincount(ever, minlength=self.items) / (len(ever) + 1)
        return (score / (score.max(initial=0) + 1)).astype(np.float32)

    @cached_property
    def core(self) -> np.ndarray:
        """Sorted positions of the items with the most users."""
        users = np.bincount(self.engaged.pairs.item, minlength=self.items)
        return np.sort(np.argsort(-users, kind="stable")[: self.core_size])

    @cached_property
    def binary(self) -> sparse.csr_matrix:
        """[users, core] 1 where a user engaged with an item."""
        return self.engaged.matrix()[:, self.core].tocsr()

    def whole(self, scores: np.ndarray) -> np.ndarray:
        """[rows, items] from [rows, core]; popularity orders items without a score."""
        found = np.tile(TIE * self.popular, (len(scores), 1))
        found[:, self.core] += np.maximum(scores, 0)
        return found
