"""The items that the blend orders for each user: the user's own, and the best of several rankers."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pipeline.runtime.near_ties import SINGLE, among_best
from training.ranking.engagements import OLDEST, Engagements
from training.ranking.item_item import Weights, times, unit_rows
from training.ranking.market import CARRIED_HALF_LIFE, HALF_LIFE, TREND_DAYS, Market

# How many candidates each ranker adds to the user's own items.
POOLS = {
    "ease_lift": 120,
    "ease_recent_lift": 120,
    "ease": 60,
    "carried_14": 80,
    "carried_recent": 80,
    "follow": 60,
    "trend": 60,
    "text": 30,
}
FADING = 0.7  # weight of an event relative to the next one, when scoring what follows


@dataclass(frozen=True)
class Candidates:
    """Sorted by user, then item. `item` is a catalogue position, `column` its place in the core (-1 = outside), `own`
    the position of the pair among the users' own pairs (-1 = not their own).
    """

    row: np.ndarray
    item: np.ndarray
    column: np.ndarray
    own: np.ndarray
    scores: dict[str, np.ndarray]  # of each item-item ranker

    @property
    def seen(self) -> np.ndarray:
        return self.own >= 0


def candidates(mine: Engagements, market: Market, allowed: np.ndarray) -> Candidates:
    """Candidates for the users of `mine`; `allowed` [items] says which items may be listed at all."""
    tables = item_scores(mine, market)
    free = allowed[market.core] & (mine.matrix()[:, market.core].toarray() == 0)
    chosen = np.zeros(free.shape, dtype=bool)
    for name, size in POOLS.items():
        scores = np.where(free, np.broadcast_to(tables[name], free.shape), -np.inf)
        chosen |= among_best(scores, size, SINGLE)
    row, column = np.nonzero(chosen)
    named = allowed[mine.pairs.item]
    where = np.concatenate([row * mine.items + market.core[column], _code(mine)[named]])
    row, item = np.divmod(np.unique(where), mine.items)
    place = np.searchsorted(market.core, item)
    place[place == len(market.core)] = 0
    column = np.where(market.core[place] == item, place, -1) if len(market.core) else place - 1
    found = {name: _picked(table, row, column) for name, table in tables.items()}
    return Candidates(row, item, column, _own(mine, row, item), found)


@dataclass(frozen=True)
class Reading:
    """Scores of one item-item ranker are `rows` [users, core] times `weights`.

    `places` are the core places that `weights` covers, None if it covers all; `own` [users, core] is subtracted: a user
    is always most similar to itself.
    """

    rows: sparse.csr_matrix
    weights: Weights
    places: np.ndarray | None = None
    own: sparse.csr_matrix | None = None

    def scores(self) -> np.ndarray:
        """[users, core] scores, 0 for items outside the weights."""
        if self.places is None:
            found = times(self.rows, self.weights)
            return found if self.own is None else np.asarray(found - self.own.toarray())
        scores = np.zeros(self.rows.shape, dtype=np.float32)
        scores[:, self.places] = self.rows[:, self.places] @ self.weights
        return scores


def readings(mine: Engagements, market: Market) -> dict[str, Reading]:
    """How each item-item ranker scores what users did."""
    core, pairs = market.core, mine.pairs

    def rows(values: np.ndarray | None = None) -> sparse.csr_matrix:
        return mine.matrix(values)[:, core]

    binary, recent = rows(), rows(0.5 ** (pairs.newest / HALF_LIFE))
    profile = unit_rows(binary, market.idf)
    carried = 0.5 ** (pairs.newest / CARRIED_HALF_LIFE)
    busy = market.busy
    return {
        "ease": Reading(binary, market.ease, busy),
        "ease_last": Reading(rows(_last_visit(mine)), market.ease, busy),
        "ease_recent": Reading(recent, market.ease_recent, busy),
        "near": Reading(recent, market.near),
        "follow": Reading(rows(FADING**pairs.place), market.follow),
        "carried_14": Reading(profile, market.carried_14, own=rows(pairs.newest < TREND_DAYS)),
        "carried_30": Reading(profile, market.carried_30, own=rows(pairs.newest < 30)),
        "carried_recent": Reading(profile, market.carried_recent, own=rows(carried)),
        "text": Reading(recent, market.text),
    }


def item_scores(mine: Engagements, market: Market) -> dict[str, np.ndarray]:
    """[users, core] (or [1, core]) scores of the rankers that need no blend weights."""
    core = market.core
    lift = market.facts.lift[core]
    scores = {name: reading.scores() for name, reading in readings(mine, market).items()}
    scores["ease_lift"] = np.maximum(scores["ease"], 0) * lift
    scores["ease_recent_lift"] = np.maximum(scores["ease_recent"], 0) * np.sqrt(lift)
    scores["trend"] = market.facts.users[TREND_DAYS][core][None, :].astype(np.float32)
    return scores


def _last_visit(mine: Engagements) -> np.ndarray:
    """Per pair: 1 if it is from the user's last day."""
    last = np.full(mine.users, OLDEST)
    np.minimum.at(last, mine.row, mine.age)
    return (mine.pairs.newest == last[mine.pairs.row]).astype(np.float32)


def _picked(table: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    found = table[row if len(table) > 1 else np.zeros_like(row), np.maximum(column, 0)]
    return np.where(column >= 0, found, 0).astype(np.float32)


def _code(mine: Engagements) -> np.ndarray:
    return mine.pairs.row * mine.items + mine.pairs.item


def _own(mine: Engagements, row: np.ndarray, item: np.ndarray) -> np.ndarray:
    codes, wanted = _code(mine), row * mine.items + item
    place = np.searchsorted(codes, wanted)
    place[place == len(codes)] = 0
    return np.where(codes[place] == wanted, place, -1) if len(codes) else place - 1
