"""Takes own items of users out of the log and scores their lists again: see bench_reasons.py."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from torch import Tensor

from training.data.arrow import kept, plain
from training.data.sequences import Sequences, sequences
from training.data.users import UserStates, user_states
from training.model.lists import Lists as Ranked
from training.model.predictor import Asked, Predictor
from training.ranking.mixture import LEAST
from training.scoring.reasons.columns import ENTRIES, ITEMS, strongest
from training.scoring.reasons.own_items import effects

PLACES = (0, 4, 9)  # entries of a list that are tried
LEAST_CHANCE = 1e-6  # an entry that falls out of the short list counts as that
CHUNK = 512
Moved = dict[str, np.ndarray]  # "named" and others -> [users] mean change, NaN where undefined


@dataclass(frozen=True)
class Lists:
    """Users of one day, scored as they are."""

    predictor: Predictor
    history: pa.Table
    states: UserStates
    users: Tensor
    asked: Asked

    @classmethod
    def of(cls, predictor: Predictor, history: pa.Table, as_of: int) -> "Lists":
        moments = np.full(history.num_rows, as_of, dtype=np.int32)
        states = user_states(history, moments, predictor.catalogue)
        rows = np.arange(len(states))
        users = predictor.users(states, rows)
        asked = predictor.asked(states, rows, users)
        return cls(predictor, history, states, users, asked)

    @property
    def as_of(self) -> int:
        return int(self.states.as_of[0])


def list_deletions(given: Lists, name: str) -> dict[str, Moved]:
    """For entries that repeat an own item, and for those that are new."""
    ranked = given.predictor.listed(given.asked, name, ENTRIES)
    tried = np.flatnonzero(np.isin(ranked.place, PLACES))
    named, own = _named(given, ranked, tried, name)
    enough = [n for n in range(len(tried)) if len(named[n]) and len(own[n]) > len(named[n])]
    tried, named, own = tried[enough], [named[n] for n in enough], [own[n] for n in enough]
    history = given.history.take(pa.array(ranked.rows[tried]))
    past = sequences(plain(history["events"]), given.predictor.catalogue)
    generator = np.random.default_rng(7)
    others = [generator.choice(items, len(n), False) for items, n in zip(own, named, strict=True)]
    cuts = {
        "named": _events_of(past, named),
        "random": _events_of(past, others),
        "random events": _as_many(past, _events_of(past, named), generator),
    }
    before = _list_odds(given, history, ranked.item[tried], name)
    moved = {
        what: np.abs(_list_odds(given, _cut(history, gone), ranked.item[tried], name) - before)
        for what, gone in cuts.items()
    }
    votes = [
        _transformer_votes(given, one, ranked.item[tried], name) for one in (history, _cut(history, cuts["named"]))
    ]
    moved["named, by the transformer"] = np.abs(votes[1] - votes[0])
    repeat = np.array([item in mine for item, mine in zip(ranked.item[tried], own, strict=True)])
    rows, users = ranked.rows[tried], len(given.states)
    groups = {"repeats": repeat, "new to the user": ~repeat}
    return {
        group: {what: _by_user(change, rows, chosen, users) for what, change in moved.items()}
        for group, chosen in groups.items()
        if chosen.any()
    }


def _named(given: Lists, ranked: Ranked, tried: np.ndarray, name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """For each tried entry: the named own items, and all own items."""
    named = [np.zeros(0, int)] * len(tried)
    own = list(named)
    for number, part in enumerate(given.asked.every):
        mine = np.flatnonzero(ranked.part[tried] == number)
        market = given.predictor.markets[part.platform]
        fitted = given.predictor.trained.rankers.of(part.platform, name)
        for found in effects(part, market, fitted, ranked.at[tried[mine]]):
            best = strongest(found.entry, found.item, found.effect, ITEMS)
            for entry in np.unique(found.entry):
                own[mine[entry]] = found.item[found.entry == entry]
                named[mine[entry]] = found.item[best][found.entry[best] == entry]
    return named, own


def _events_of(past: Sequences, items: list[np.ndarray]) -> np.ndarray:
    """[events] whether each is of the items of its row."""
    gone = np.zeros(len(past.item), dtype=bool)
    for row, mine in enumerate(items):
        span = slice(past.offsets[row], past.offsets[row + 1])
        gone[span] = np.isin(past.item[span], mine)
    return gone


def _as_many(past: Sequences, gone: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """As many engagements of each row as are gone, drawn at random."""
    found = np.zeros(len(gone), dtype=bool)
    for row in range(len(past.offsets) - 1):
        first, last = past.offsets[row], past.offsets[row + 1]
        engaged = first + np.flatnonzero(past.engaged[first:last])
        number = min(int((gone & past.engaged)[first:last].sum()), len(engaged))
        found[generator.choice(engaged, number, False)] = True
    return found


def _cut(history: pa.Table, gone: np.ndarray) -> pa.Table:
    rest = kept(plain(history["events"]), ~gone)
    return history.set_column(history.schema.get_field_index("events"), "events", rest)


def _list_odds(given: Lists, history: pa.Table, items: np.ndarray, name: str) -> np.ndarray:
    """[rows] log-odds of the published chance of one item each."""
    found, size = [], len(given.predictor.catalogue)
    for start in range(0, history.num_rows, CHUNK):
        part = Lists.of(given.predictor, history.slice(start, CHUNK), given.as_of)
        dense = given.predictor.listed(part.asked, name, size).dense(size)
        found.append(dense[np.arange(len(dense)), items[start : start + CHUNK]])
    chance = np.clip(np.concatenate(found), LEAST_CHANCE, 1 - LEAST_CHANCE)
    return np.log(chance / (1 - chance))


def _transformer_votes(given: Lists, history: pa.Table, items: np.ndarray, name: str) -> np.ndarray:
    """[rows] what the transformer adds to one item's log-odds, 0 where it is no candidate."""
    found = []
    for start in range(0, history.num_rows, CHUNK):
        part = Lists.of(given.predictor, history.slice(start, CHUNK), given.as_of)
        votes = np.zeros((len(part.states), len(given.predictor.catalogue)))
        for one, model in zip(part.asked.every, part.asked.model, strict=True):
            pairs = one.moment.found
            mixture = given.predictor.trained.rankers.of(one.platform, name).mixture
            weight = mixture.weights[one.group[pairs.row], 1]
            votes[one.rows[pairs.row], pairs.item] = weight * np.maximum(model, -LEAST)
        found.append(votes[np.arange(len(votes)), items[start : start + CHUNK]])
    return np.concatenate(found)


def _by_user(change: np.ndarray, rows: np.ndarray, chosen: np.ndarray, users: int) -> np.ndarray:
    """[users] mean of the chosen entries, NaN where a user has none."""
    number = np.bincount(rows[chosen], minlength=users)
    total = np.bincount(rows[chosen], change[chosen], users)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)
