"""What the rankers say about users: the published lists, and why each item stands there."""

from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from torch import Tensor

from training.catalogue import Catalogue
from training.examples import HEADS
from training.presets import BASE
from training.rankers.engagements import Engagements
from training.rankers.features import SOURCES
from training.rankers.market import Market, Sizes
from training.rankers.mixture import LEAST
from training.rankers.platforms import Part, markets, parts
from training.ranking import NEVER, allowed_items
from training.sequences import Sequences
from training.states import UserStates
from training.trained import TrainedModel

LISTS = ("next_items", "next_new_items")
REASONS = (*SOURCES, "model")  # what moves a score: see Ranked.reasons
TREND_DAYS = 14
SMOOTHING = 3.0  # users
CHUNK = 512  # users that are encoded at once


@dataclass(frozen=True)
class Ranked:
    """A list per user as ragged arrays, best first: user r has offsets[r] <= k < offsets[r + 1]."""

    offsets: np.ndarray
    item: np.ndarray  # catalogue positions
    score: np.ndarray  # chance that the next item is this one
    reasons: np.ndarray  # [entries, REASONS] what each adds to the log-odds, beside an average item

    def dense(self, items: int) -> np.ndarray:
        """[users, items] scores, NEVER outside the lists."""
        found = np.full((len(self.offsets) - 1, items), NEVER, dtype=np.float32)
        rows = np.repeat(np.arange(len(found)), np.diff(self.offsets))
        found[rows, self.item] = self.score
        return found


@dataclass(frozen=True)
class Predictor:
    """A model with the catalogue of one moment, and what all users did up to then."""

    trained: TrainedModel
    catalogue: Catalogue
    items: Tensor
    bias: Tensor
    markets: dict[str, Market] = field(default_factory=dict)  # by platform

    @classmethod
    def of(
        cls, trained: TrainedModel, catalogue: Catalogue, known: Engagements | None = None
    ) -> "Predictor":
        """`known`: the engagements of all users; without them there are user vectors alone."""
        places = markets(known, catalogue, _sizes(trained)) if known else {}
        return cls(trained, catalogue, *trained.item_vectors(catalogue), places)

    def users(self, states: UserStates, rows: np.ndarray) -> Tensor:
        """[rows, width] user vectors."""
        return self.vectors(states.past, rows)

    def vectors(self, past: Sequences, rows: np.ndarray) -> Tensor:
        """[rows, width] vectors of what users did."""
        return self.trained.user_vectors(past, rows, self.catalogue, self.items)

    def chances(self, states: UserStates) -> np.ndarray:
        """[rows, HEADS] published probabilities of all rows."""
        found = [np.zeros((0, len(HEADS)), np.float32)]
        for start in range(0, len(states), CHUNK):
            rows = np.arange(start, min(start + CHUNK, len(states)))
            found.append(self.trained.propensities(self.users(states, rows), states, rows))
        return np.concatenate(found)

    def allowed(self, states: UserStates, rows: np.ndarray) -> np.ndarray:
        """[rows, items] what may be named at all."""
        return allowed_items(self.catalogue, states.platforms[rows], states.as_of[rows])

    def model(self, users: Tensor, allowed: np.ndarray) -> np.ndarray:
        """[rows, items] probabilities by the transformer alone."""
        return self.trained.item_probabilities(users, self.items, self.bias, allowed)

    def model_scores(self, users: Tensor, part: Part, as_of: int) -> np.ndarray:
        """[candidates] log-probabilities by the transformer among the items of the platform."""
        here = (self.catalogue.platform == self.catalogue.platforms.index(part.platform)) & (
            self.catalogue.first_day <= as_of
        )
        found = part.moment.found
        return self.trained.log_probabilities(
            users, self.items, self.bias + self.trend(part.platform), here, found.row, found.item
        )

    def trend(self, platform: str) -> Tensor:
        """[items] log of an item's share of the platform of late over its share in training."""
        here = self.catalogue.platform == self.catalogue.platforms.index(platform)
        late = self.markets[platform].facts.users[TREND_DAYS] * here
        then = self.trained.frequency(self.catalogue) * here
        users = max(late.sum(), 1)
        moved = np.log((late + SMOOTHING) / users) - np.log(
            then / max(then.sum(), 1) + SMOOTHING / users
        )
        return torch.from_numpy(moved.astype(np.float32)).to(self.bias)

    def ranked(
        self, states: UserStates, rows: np.ndarray, users: Tensor, most: int
    ) -> dict[str, Ranked]:
        """The published lists of `rows`, at most `most` long; they are all of one moment."""
        every = list(parts(states, rows, self.catalogue, self.markets))
        as_of = int(states.as_of[rows[0]]) if len(rows) else 0
        model = [self.model_scores(users[part.rows], part, as_of) for part in every]
        return {name: self._list(name, every, model, len(rows), most) for name in LISTS}

    def scores(self, states: UserStates, rows: np.ndarray, users: Tensor, name: str) -> np.ndarray:
        """[rows, items] published scores; NEVER where an item does not stand in the list."""
        found = self.ranked(states, rows, users, len(self.catalogue))[name]
        return found.dense(len(self.catalogue))

    def _list(
        self, name: str, every: list[Part], model: list[np.ndarray], users: int, most: int
    ) -> Ranked:
        entries = [
            self._entries(name, part, scores, most)
            for part, scores in zip(every, model, strict=True)
        ]
        columns = zip(*entries, strict=True) if entries else [[np.zeros(0, int)]] * 3
        row, item, score, *reasons = (np.concatenate(column) for column in columns)
        order = np.lexsort((item, -score, row))
        place = _places(row[order])
        order = order[place < most]
        offsets = np.concatenate([[0], np.cumsum(np.bincount(row[order], minlength=users))])
        why = reasons[0][order] if reasons else np.zeros((0, len(REASONS)))
        return Ranked(offsets, item[order], score[order].astype(np.float32), why)

    def _entries(
        self, name: str, part: Part, model: np.ndarray, most: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The best of one platform: row, item, share of the user's interest, reasons."""
        moment, found = part.moment, part.moment.found
        rankers = self.trained.rankers
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
        return part.rows[found.row[picked]], found.item[picked], chance[picked], why


def _sizes(trained: TrainedModel) -> Sizes:
    preset = {**asdict(BASE), **trained.card.preset}
    return Sizes(preset["ranked_items"], preset["ease_items"])


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
