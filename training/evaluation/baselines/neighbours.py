"""Item-item rankers over the core of the catalogue: scores = history x weights."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pipeline.runtime.near_ties import SINGLE
from training.evaluation.baselines.counts import decayed_days
from training.evaluation.baselines.known import LISTS, Known
from training.ranking.item_item import cosine, dense, ease

NEIGHBOURS, SHRINK = 100, 3.0
L2 = 300.0
TREND_DAYS = 14
OWN_HALF_LIFE, SHARE = 180.0, 1.0  # of the mix with own repeats


@dataclass(frozen=True)
class ItemItem:
    """[core, core] weights, and a factor per item (1 by default)."""

    known: Known
    weights: np.ndarray
    lift: np.ndarray | float = 1.0
    lists: tuple[str, ...] = LISTS

    def core_scores(self, rows: np.ndarray) -> np.ndarray:
        return np.maximum(self.known.binary[rows] @ self.weights, 0) * self.lift

    def scores(self, rows: np.ndarray) -> np.ndarray:
        return self.known.whole(self.core_scores(rows))


@dataclass(frozen=True)
class WithRepeats:
    """Own repeats, decayed, plus a share of an item-item ranker's scores over the user's best."""

    ranker: ItemItem
    own: sparse.csr_matrix
    lists: tuple[str, ...] = ("next_items",)

    def scores(self, rows: np.ndarray) -> np.ndarray:
        scores = self.ranker.core_scores(rows)
        best = scores.max(axis=1, keepdims=True, initial=0)
        mixed = self.ranker.known.whole(SHARE * scores / np.maximum(best, 1e-9))
        return mixed + self.own[rows].toarray()


def item_knn(known: Known) -> ItemItem:
    """Cosine between items, only each item's nearest neighbours."""
    similar = dense(cosine(known.binary, SHRINK))
    if len(similar) > NEIGHBOURS:
        floor = np.partition(similar, -NEIGHBOURS, axis=0)[-NEIGHBOURS]
        similar[similar < floor - SINGLE * similar.max(axis=0)] = 0
    return ItemItem(known, similar)


def plain_ease(known: Known) -> ItemItem:
    """EASE (Steck 2019)."""
    return ItemItem(known, ease(known.binary, L2))


def with_trend(fitted: ItemItem) -> ItemItem:
    """Multiplies scores by the share of an item's users who are recent: what the user may like, if it is rising."""
    known = fitted.known
    late, ever = (known.buyers(days)[known.core] for days in (TREND_DAYS, 10_000))
    lift = ((late + 0.5) / (ever + 5.0)).astype(np.float32)
    return ItemItem(known, fitted.weights, lift)


def with_repeats(fitted: ItemItem) -> WithRepeats:
    """The mix that is hard to beat when people buy the same things again."""
    return WithRepeats(fitted, decayed_days(fitted.known.engaged, OWN_HALF_LIFE))
