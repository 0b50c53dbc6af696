"""What all users together say about the items of one platform, as of one moment."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pipeline.runtime.near_ties import DOUBLE, settled
from training.ranking.engagements import OLDEST, Engagements, Pairs, mean_by
from training.ranking.item_item import Weights, carried, cosine, ease, followed, nearest, unit_rows

WINDOWS = (3, 7, 14, 30, 60, 1024)  # days; the last is ever
TREND_DAYS = 14
EASE_L2, EASE_RECENT_L2 = 300.0, 100.0
RETURN_DAYS = 30
HALF_LIFE = 90.0  # days that count as recent in item-item weights
CARRIED_HALF_LIFE = 60.0
SHRINK = 3.0  # users
TEXT_FLOOR = 0.5  # texts with at least this cosine are alike
TEXTS = 50  # nearest texts of each item


@dataclass(frozen=True)
class ItemFacts:
    """Each is [items of the catalogue]; ages are in days; an item without engagements has the oldest age."""

    users: dict[int, np.ndarray]  # by window: how many users
    newcomers: np.ndarray  # users whose first time was within TREND_DAYS
    kept: np.ndarray  # of its users before RETURN_DAYS, smoothed: share that came back since
    again: np.ndarray  # share of its users who came back to it on another day
    oldest: np.ndarray
    newest: np.ndarray
    log_price: np.ndarray  # mean, NaN where unknown
    discount: np.ndarray  # mean log price within TREND_DAYS minus that of all days
    log_quantity: np.ndarray

    @property
    def lift(self) -> np.ndarray:
        """Recent users over users ever, smoothed: above 1 for items that are rising."""
        return (self.users[TREND_DAYS] + 0.5) / (self.users[WINDOWS[-1]] + 5.0)


@dataclass(frozen=True)
class Market:
    """Item facts, and [core, core] item-item weights among the core of the catalogue."""

    facts: ItemFacts
    core: np.ndarray  # catalogue positions, sorted: the items with weights
    busy: np.ndarray  # places in the core of the items with most users, which EASE is made of
    idf: np.ndarray  # [core]
    ease: np.ndarray  # [busy, busy]
    ease_recent: np.ndarray
    near: Weights  # cosine of recent users
    follow: Weights
    carried_14: Weights
    carried_30: Weights
    carried_recent: Weights
    text: Weights  # similarity of texts
    text_lift: np.ndarray  # [core] lift of the items with a similar text


@dataclass(frozen=True)
class Sizes:
    """How many items are considered: EASE needs memory for the square of its number."""

    core: int = 32_768
    ease: int = 4_096


def item_facts(known: Engagements) -> ItemFacts:
    """Facts of every item of the catalogue."""
    pairs, size = known.pairs, known.items
    ever = np.bincount(pairs.item, minlength=size)
    newest, oldest = np.full(size, OLDEST), np.zeros(size, dtype=np.int64)
    np.minimum.at(newest, pairs.item, pairs.newest)
    np.maximum.at(oldest, pairs.item, pairs.oldest)
    back = np.bincount(pairs.item[pairs.days > 1], minlength=size)
    price = mean_by(known.item, known.log_price, size)
    late = known.age < TREND_DAYS
    return ItemFacts(
        {d: np.bincount(pairs.item[pairs.newest < d], minlength=size) for d in WINDOWS},
        np.bincount(pairs.item[pairs.oldest < TREND_DAYS], minlength=size),
        _kept(pairs, size),
        back / np.maximum(ever, 1),
        np.where(ever > 0, oldest, OLDEST),
        newest,
        price,
        mean_by(known.item[late], known.log_price[late], size) - price,
        mean_by(known.item, known.log_quantity, size),
    )


def _kept(pairs: Pairs, size: int) -> np.ndarray:
    before = pairs.oldest >= RETURN_DAYS
    back = before & (pairs.newest < RETURN_DAYS)
    number, returned = (np.bincount(pairs.item[rows], minlength=size) for rows in (before, back))
    return (returned + 0.5) / (number + 10.0)


def market(known: Engagements, platform: np.ndarray, text: np.ndarray, sizes: Sizes) -> Market:
    """The market of the items where `platform` [items] is true; those with most recent users are the core.

    `text` is [items, width], rows of length 1.
    """
    facts, pairs = item_facts(known), known.pairs
    users = np.bincount(pairs.item, _halved(pairs, HALF_LIFE), known.items)
    mine = np.flatnonzero(platform)
    core = _most(mine, users, sizes.core)
    busy = np.searchsorted(core, _most(core, users, sizes.ease))
    binary = known.matrix()[:, core].tocsr()
    late = known.matrix(_halved(pairs, HALF_LIFE))[:, core].tocsr()
    idf = np.log(max(known.users, 1) / (np.asarray(binary.sum(axis=0)).ravel() + 1.0)).clip(0)
    profiles = unit_rows(binary, idf)
    decayed = known.matrix(_halved(pairs, CARRIED_HALF_LIFE))[:, core]
    alike = nearest(text[core], TEXT_FLOOR, TEXTS)
    lift = facts.lift[core]
    return Market(
        facts,
        core,
        busy,
        idf,
        ease=ease(binary[:, busy], EASE_L2),
        ease_recent=ease(late[:, busy], EASE_RECENT_L2),
        near=cosine(late, SHRINK),
        follow=_followed(known, core),
        carried_14=carried(profiles, _within(known, TREND_DAYS)[:, core]),
        carried_30=carried(profiles, _within(known, 30)[:, core]),
        carried_recent=carried(profiles, decayed),
        text=alike,
        text_lift=(lift @ alike) / (np.ones(len(core)) @ alike + 0.1),
    )


def _most(items: np.ndarray, users: np.ndarray, size: int) -> np.ndarray:
    """The `size` items of `items` with most users, sorted; ties are broken by position."""
    number = settled(users[items], DOUBLE * users.max(initial=0))
    return np.sort(items[np.argsort(-number, kind="stable")[:size]])


def _halved(pairs: Pairs, half_life: float) -> np.ndarray:
    return 0.5 ** (pairs.newest / half_life)


def _followed(known: Engagements, core: np.ndarray) -> Weights:
    column = np.full(known.items, -1)
    column[core] = np.arange(len(core))
    inside = column[known.item] >= 0
    item = column[known.item[inside]]
    return followed(known.row[inside], item, known.place[inside], len(core), SHRINK)


def _within(known: Engagements, days: int) -> sparse.csr_matrix:
    return known.matrix((known.pairs.newest < days).astype(np.float32))
