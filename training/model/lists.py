"""The published lists: the best candidates of all platforms of a user, in the blend's order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.runtime.near_ties import LOG_ODDS, leaders
from training.data.catalogue import Catalogue
from training.data.sequences import Sequences
from training.ranking.features import SOURCES
from training.ranking.mixture import LEAST
from training.ranking.moments import Part
from training.ranking.order import Rankers

LISTS = ("next_items", "next_new_items")
LEAST_CHANCE = 1e-30  # below it, items are ordered by position
REASONS = (*SOURCES, "model")  # what moves a score: see Lists.reasons

NEVER = -1.0  # score of an item that must not be in the list


@dataclass(frozen=True)
class Lists:
    """A list per user as ragged arrays, best first: user r has offsets[r] <= k < offsets[r + 1]."""

    offsets: np.ndarray
    item: np.ndarray  # catalogue positions
    score: np.ndarray  # chance that the next item is this one
    reasons: np.ndarray  # [entries, REASONS] what each adds to the log-odds, compared with an average item
    part: np.ndarray  # place of the platform's Part among those asked
    at: np.ndarray  # which candidate of that part it is

    def dense(self, items: int) -> np.ndarray:
        """[users, items] scores, NEVER outside the lists."""
        found = np.full((len(self.offsets) - 1, items), NEVER, dtype=np.float32)
        found[self.rows, self.item] = self.score
        return found

    @property
    def rows(self) -> np.ndarray:
        """The user of each entry."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    @property
    def place(self) -> np.ndarray:
        """The place of each entry in its list, counted from 0."""
        return np.arange(len(self.item)) - np.repeat(self.offsets[:-1], np.diff(self.offsets))


def listed(
    name: str,
    every: Sequence[Part],
    model: Sequence[np.ndarray],
    rankers: Rankers,
    users: int,
    most: int,
) -> Lists:
    """The list `name`, at most `most` long; `model` has the transformer's log-probabilities."""
    entries = [
        _entries(name, number, part, scores, rankers, most)
        for number, (part, scores) in enumerate(zip(every, model, strict=True))
    ]
    none = (*[np.zeros(0, int)] * 3, np.zeros((0, len(REASONS))), *[np.zeros(0, int)] * 2)
    columns = zip(*(entries or [none]), strict=True)
    row, item, score, why, part, at = (np.concatenate(column) for column in columns)
    score = _settled(score, row)
    order = np.lexsort((item, -score, row))
    order = order[_places(row[order]) < most]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row[order], minlength=users))])
    best = score[order].astype(np.float32)
    return Lists(offsets, item[order], best, why[order], part[order], at[order])


def _entries(
    name: str, number: int, part: Part, model: np.ndarray, rankers: Rankers, most: int
) -> tuple[np.ndarray, ...]:
    """The best items of one platform, as the columns of Lists; the first column is the row."""
    moment, found = part.moment, part.moment.found
    rankers.check(moment.names)
    fitted = rankers.of(part.platform, name)
    group = part.group[found.row]
    mixed = fitted.mixture.mix(fitted.ranker.scores(moment), model, group)
    chance = _softmax(mixed, found.row) * part.share[found.row]
    picked = np.lexsort((found.item, -_settled(chance, found.row), found.row))
    picked = picked[np.isfinite(mixed[picked])]
    picked = picked[_places(found.row[picked]) < most]
    weights = fitted.mixture.weights[group[picked]]
    why = np.concatenate(
        [
            weights[:, :1] * fitted.ranker.contributions(moment, picked),
            weights[:, 1:] * (np.maximum(model[picked, None], -LEAST) + LEAST),
        ],
        axis=1,
    )
    row, item = part.rows[found.row[picked]], found.item[picked]
    return row, item, chance[picked], why, np.full(len(picked), number), picked


def _settled(chance: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Probabilities of each row; values that differ only by numerical noise are made equal."""
    return chance[leaders(np.log(np.maximum(chance, LEAST_CHANCE)), LOG_ODDS, row)]


def _places(row: np.ndarray) -> np.ndarray:
    """Place of each entry within its row; rows are sorted."""
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    return np.arange(len(row)) - np.repeat(starts, np.diff(np.append(starts, len(row))))


def _softmax(scores: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Within each row; -inf gives 0."""
    if not len(row):
        return scores
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    size = np.diff(np.append(starts, len(row)))
    best = np.repeat(np.maximum.reduceat(scores, starts), size)
    weight = np.exp(scores - np.where(np.isfinite(best), best, 0))
    total = np.repeat(np.add.reduceat(weight, starts), size)
    return weight / np.where(total > 0, total, 1)


def allowed_items(catalogue: Catalogue, platforms: np.ndarray, as_of: np.ndarray) -> np.ndarray:
    """[users, items] items known by the day of the state, of the platforms that a user uses.

    `platforms` is [users, platforms]. A user without a platform with items gets the items of all platforms.
    """
    uses = platforms | ~platforms.any(axis=1, keepdims=True)
    return uses[:, catalogue.platform] & (catalogue.first_day[None, :] <= as_of[:, None])


def touched_items(past: Sequences, rows: np.ndarray, items: int) -> np.ndarray:
    """[users, items] items of a user's history, whatever the event type."""
    place, event = past.events_of(rows)
    known = past.item[event] >= 0
    touched = np.zeros((len(rows), items), dtype=bool)
    touched[place[known], past.item[event][known]] = True
    return touched


def top(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """[users, k] positions and scores of the best items, best first; equal scores by position.

    Scores are not negative, except NEVER, which gives position -1.
    """
    users, items = scores.shape
    k = min(k, items)
    if not users or not k:
        return np.zeros((users, k), dtype=np.int64), np.zeros((users, k), dtype=scores.dtype)
    least = np.partition(scores, items - k, axis=1)[:, items - k, None]
    above, level = scores > least, scores == least
    free = k - above.sum(axis=1, keepdims=True)
    chosen = above | (level & (np.cumsum(level, axis=1, dtype=np.int32) <= free))
    places = np.nonzero(chosen)[1].reshape(users, k)
    found = np.take_along_axis(scores, places, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")
    places, found = (np.take_along_axis(values, order, axis=1) for values in (places, found))
    return np.where(found >= 0, places, -1), np.maximum(found, 0)
