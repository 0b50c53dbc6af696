"""What the blend reads about each candidate: logs of scores, demand, lifecycle and repeat rhythm.

A weighted sum of logs is a product of powers, so `EASE x lift` is one point of this family. Scores are relative to the
user's best candidate and demand to the hundredth item, so that moments of different seasons, and platforms of different
sizes, look alike.
"""

from functools import cache

import numpy as np

from training.ranking.candidates import Candidates, candidates
from training.ranking.engagements import OLDEST, Engagements, mean_by
from training.ranking.market import TREND_DAYS, WINDOWS, Market, Sizes, market

Columns = dict[str, np.ndarray]

# What moves a score, in a reader's words; every feature belongs to one of them.
SOURCES = ("own", "alike", "trend", "text")
ALIKE = (
    "ease",
    "ease_last",
    "ease_recent",
    "near",
    "follow",
    "carried_14",
    "carried_30",
    "carried_recent",
)
BY_USER = ("seen", "own_rate", "own_days", "log_users_14", "log_ease", "own_skipped")
BY_SEEN = (
    "log_kept",
    "log_users_14",
    "log_users_ever",
    "again",
    "log_ease",
    "text_lift",
    "price_gap2",
)


def design(found: Candidates, mine: Engagements, market: Market) -> tuple[np.ndarray, list[str]]:
    """[candidates, features] float32 without NaN, and the features' names."""
    traits = _traits(mine, found.row)
    columns = (
        _alike(found)
        | _demand(found, market)
        | _life(found, market)
        | _text(found, market)
        | _price(found, mine, market)
        | _own(found, mine, traits)
    )
    columns |= _interactions(columns, traits)
    return np.stack(list(columns.values()), axis=1).astype(np.float32), list(columns)


@cache
def feature_names() -> list[str]:
    """The names of the columns of `design`, in order."""
    none = np.zeros(0, dtype=np.int64)
    nobody = Engagements(none, none, none, none, none * 1.0, none * 1.0, 0, 1)
    where = market(nobody, np.ones(1, dtype=bool), np.ones((1, 1), dtype=np.float32), Sizes())
    return design(candidates(nobody, where, np.ones(1, dtype=bool)), nobody, where)[1]


def source(feature: str) -> str:
    """The source that a feature belongs to; an interaction to that of its first factor."""
    name = feature.split("*")[0]
    if name.startswith(("own", "seen", "cycle")):
        return "own"
    if name.startswith("text"):
        return "text"
    return "alike" if name.removeprefix("log_").removeprefix("share_") in ALIKE else "trend"


def is_of_own_use(feature: str) -> bool:
    """Whether the feature describes the user's own use of the candidate; it is 0 without such use."""
    return any(factor.startswith(("own", "seen", "cycle")) for factor in feature.split("*"))


def _log(values: np.ndarray, floor: float) -> np.ndarray:
    return np.log(np.maximum(values, 0) + floor)


def _alike(found: Candidates) -> Columns:
    columns: Columns = {}
    for name in ALIKE:
        share = _relative(found.scores[name], found.row)
        columns |= {f"log_{name}": _log(share, 0.02), f"share_{name}": share}
    return columns


def _relative(scores: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Scores over the best of the same user, in [0, 1]."""
    scores = np.maximum(scores, 0)
    if not len(scores):
        return scores
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    best = np.maximum.reduceat(scores, starts)
    size = np.diff(np.append(starts, len(row)))
    return scores / np.maximum(np.repeat(best, size), 1e-9)


def _demand(found: Candidates, market: Market) -> Columns:
    facts, columns = market.facts, {}
    for days, users in facts.users.items():
        name = "ever" if days == WINDOWS[-1] else str(days)
        columns[f"log_users_{name}"] = _log(users[found.item] / _hundredth(users), 0.03)
    newcomers = facts.newcomers
    columns["log_newcomers"] = _log(newcomers[found.item] / _hundredth(newcomers), 0.03)
    return columns


def _hundredth(users: np.ndarray) -> float:
    """The hundredth largest value (the smallest of fewer), at least 1."""
    place = min(100, len(users))
    return max(float(np.partition(users, -place)[-place]), 1.0)


def _life(found: Candidates, market: Market) -> Columns:
    oldest = np.minimum(market.facts.oldest[found.item], 120)
    newest = np.minimum(market.facts.newest[found.item], 60)
    return {
        "log_kept": np.log(market.facts.kept[found.item]) + 3,
        "again": market.facts.again[found.item],
        "born_14": (oldest < TREND_DAYS) * 1.0,
        "born_45": (oldest < 45) * 1.0,
        "log_born": _log(oldest, 5),
        "log_idle": _log(newest, 1),
    }


def _text(found: Candidates, market: Market) -> Columns:
    share = _relative(found.scores["text"], found.row)
    lift = np.append(market.text_lift, 0)[found.column]  # column -1 reads the 0
    return {
        "text_near": _log(share, 0.02),
        "text_share": share,
        "text_lift": _log(lift, 0.02),
    }


def _price(found: Candidates, mine: Engagements, market: Market) -> Columns:
    """Price relative to what the user pays; 0 where a price is unknown."""
    facts = market.facts
    price = facts.log_price[found.item]
    usual = mean_by(mine.row, mine.log_price, mine.users)[found.row]
    gap = np.clip(np.nan_to_num(price - usual), -3, 3)
    return {
        "price_gap": gap,
        "price_gap2": gap**2,
        "discount": np.clip(np.nan_to_num(facts.discount[found.item]), -1, 1),
        "price": np.nan_to_num(price),
        "pack": np.nan_to_num(facts.log_quantity[found.item]),
    }


def _traits(mine: Engagements, row: np.ndarray) -> Columns:
    """Traits of the candidates' users: how often they come, how much they buy, and how much of it again."""
    visits = np.maximum(_visits(mine), 1)
    size = np.bincount(mine.row, minlength=mine.users)  # items of all visits
    kinds = np.bincount(mine.pairs.row, minlength=mine.users)
    last, first = _span(mine)
    return {
        "visits": np.log(visits)[row] - 1.3,
        "repeat": (1 - kinds / np.maximum(size, 1))[row] - 0.15,
        "basket": np.log1p(size / visits)[row] - 3,
        "gap": ((first - last) / np.maximum(visits - 1, 1))[row],
    }


def _visits(mine: Engagements) -> np.ndarray:
    return np.bincount(mine.visits // (OLDEST + 1), minlength=mine.users)


def _span(mine: Engagements) -> tuple[np.ndarray, np.ndarray]:
    """Ages of the last and the first day of each user."""
    last, first = np.full(mine.users, OLDEST), np.zeros(mine.users, dtype=np.int64)
    np.minimum.at(last, mine.row, mine.age)
    np.maximum.at(first, mine.row, mine.age)
    return last, first


def _own(found: Candidates, mine: Engagements, traits: Columns) -> Columns:
    """Frequency, recency relative to the user's tempo, visits without the item, the item's own cycle."""
    pairs, seen = mine.pairs, found.seen
    if not len(pairs.row):
        return {name: np.zeros(len(seen)) for name in _OWN}
    at = np.maximum(found.own, 0)
    days = pairs.days * 1.0
    skipped, chances = _visits_since(mine, pairs.newest - 1), _visits_since(mine, pairs.oldest)
    cycle = pairs.newest / np.maximum((pairs.oldest - pairs.newest) / np.maximum(days - 1, 1), 1)
    since = pairs.newest[at] / np.maximum(traits["gap"], 7)
    values = (
        np.ones(len(seen)),
        np.log(mine.decayed(30.0) / 0.05 + 1)[at],
        np.log(mine.decayed(90.0) / 0.1 + 1)[at],
        np.log1p(days)[at],
        (days > 1)[at],
        _log(np.minimum(since, 200), 0.1),
        np.log1p(skipped)[at],
        (days / np.maximum(chances, 1))[at],
        ((days > 1) & (cycle > 2))[at],
        ((days > 1) & (cycle > 0.5) & (cycle <= 2))[at],
        np.nan_to_num(mine.quantity)[at],
    )
    return {name: seen * column for name, column in zip(_OWN, values, strict=True)}


_OWN = (
    "seen",
    "own_decay30",
    "own_decay90",
    "own_days",
    "own_multi",
    "own_since",
    "own_skipped",
    "own_rate",
    "cycle_over",
    "cycle_in",
    "own_quantity",
)


def _visits_since(mine: Engagements, age: np.ndarray) -> np.ndarray:
    """For each pair: days on which its user came during the last `age` days."""
    begin = mine.pairs.row * (OLDEST + 1)
    after = np.searchsorted(mine.visits, begin + age, side="right")
    return after - np.searchsorted(mine.visits, begin, side="left")


def _interactions(columns: Columns, traits: Columns) -> Columns:
    """Lets weights vary with the user's activity, loyalty and basket, and differ for own items."""
    by_user = {
        f"{name}*{trait}": columns[name] * traits[trait] for trait in ("visits", "repeat", "basket") for name in BY_USER
    }
    return by_user | {f"{name}*seen": columns[name] * columns["seen"] for name in BY_SEEN}
