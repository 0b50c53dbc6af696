"""Own-history repeat: the user's own earlier items first, then popular items."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.evaluation.baselines.known import LISTS, TIE, Known
from training.ranking.engagements import OLDEST, Engagements

MOST_DAYS = 400  # days of engagement with one item are capped at this

WINDOWS = {"popular_7d": 7, "popular_14d": 14, "popular_30d": 30, "popular_all": 10_000}


@dataclass(frozen=True)
class OwnHistory:
    """One value per user and item of the history; popularity in [0, 1) below all of them."""

    values: sparse.csr_matrix
    rest: np.ndarray
    lists: tuple[str, ...] = ("next_items",)

    def scores(self, rows: np.ndarray) -> np.ndarray:
        return self.values[rows].toarray() + self.rest


def frequent(known: Known) -> OwnHistory:
    """By days with the item, ties broken by recency: whole numbers, so exact in float32."""
    pairs = known.engaged.pairs
    days = np.minimum(pairs.days, MOST_DAYS)
    value = days * (OLDEST + 1) + (OLDEST - pairs.newest)
    return OwnHistory(known.engaged.matrix(value), known.popular)


def recent(known: Known) -> OwnHistory:
    """By the last day with the item, ties broken by frequency."""
    pairs = known.engaged.pairs
    days = np.minimum(pairs.days, MOST_DAYS)
    value = (OLDEST - pairs.newest) * (MOST_DAYS + 1) + days
    return OwnHistory(known.engaged.matrix(value), known.popular)


def decayed(known: Known, half_life: float) -> OwnHistory:
    """Each day with the item counts half after `half_life` days."""
    return OwnHistory(decayed_days(known.engaged, half_life), TIE * known.popular)


def decayed_days(engaged: Engagements, half_life: float) -> sparse.csr_matrix:
    """[users, items] days with the item, halved every `half_life` days."""
    value = (0.5 ** (engaged.age / half_life)).astype(np.float32)
    where = (engaged.row, engaged.item)
    return sparse.csr_matrix((value, where), (engaged.users, engaged.items))


@dataclass(frozen=True)
class Popular:
    """By distinct users in a window of days; ties are broken by 14-day, then by all-time popularity."""

    counts: np.ndarray
    lists: tuple[str, ...] = LISTS

    @classmethod
    def fit(cls, known: Known, days: int) -> "Popular":
        return cls((known.buyers(days) + 0.5 * known.popular).astype(np.float32))

    def scores(self, rows: np.ndarray) -> np.ndarray:
        return np.tile(self.counts, (len(rows), 1))
