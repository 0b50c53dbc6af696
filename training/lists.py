"""The published lists: the best candidates of all platforms of a user, in the blend's order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.rankers.features import SOURCES
from training.rankers.mixture import LEAST
from training.rankers.platforms import Part
from training.rankers.rankers import Rankers
from training.ranking import NEVER

LISTS = ("next_items", "next_new_items")
REASONS = (*SOURCES, "model")  # what moves a score: see Ranked.reasons


@dataclass(frozen=True)
class Ranked:
    """A list per user as ragged arrays, best first: user r has offsets[r] <= k < offsets[r + 1]."""

    offsets: np.ndarray
    item: np.ndarray  # catalogue positions
    score: np.ndarray  # chance that the next item is this one
    reasons: np.ndarray  # [entries, REASONS] what each adds to the log-odds, beside an average item
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
        """The place of each entry in its list, from 0 on."""
        return np.arange(len(self.item)) - np.repeat(self.offsets[:-1], np.diff(self.offsets))


def listed(
    name: str,
    every: Sequence[Part],
    model: Sequence[np.ndarray],
    rankers: Rankers,
    users: int,
    most: int,
) -> Ranked:
    """The list `name`, at most `most` long; `model` has the transformer's log-probabilities."""
    entries = [
        _entries(name, number, part, scores, rankers, most)
        for number, (part, scores) in enumerate(zip(every, model, strict=True))
    ]
    none = (*[np.zeros(0, int)] * 3, np.zeros((0, len(REASONS))), *[np.zeros(0, int)] * 2)
    columns = zip(*(entries or [none]), strict=True)
    row, item, score, why, part, at = (np.concatenate(column) for column in columns)
    order = np.lexsort((item, -score, row))
    order = order[_places(row[order]) < most]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row[order], minlength=users))])
    best = score[order].astype(np.float32)
    return Ranked(offsets, item[order], best, why[order], part[order], at[order])


def _entries(
    name: str, number: int, part: Part, model: np.ndarray, rankers: Rankers, most: int
) -> tuple[np.ndarray, ...]:
    """The best of one platform, in the order of the columns of Ranked; the first is the row."""
    moment, found = part.moment, part.moment.found
    rankers.check(moment.names)
    fitted = rankers.of(part.platform, name)
    group = part.group[found.row]
    mixed = fitted.mixture.mix(fitted.ranker.scores(moment), model, group)
    chance = _softmax(mixed, found.row) * part.share[found.row]
    picked = np.lexsort((found.item, -chance, found.row))
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


def _places(row: np.ndarray) -> np.ndarray:
    """Place of each entry among those of its row; rows are sorted."""
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
