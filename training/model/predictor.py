"""A model's predictions for users, with the catalogue and the market of one moment."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from pipeline.tables.features import BY_MODEL
from training.data.catalogue import Catalogue
from training.data.sequences import Sequences
from training.data.users import HEADS, UserStates
from training.model.lists import Lists, allowed_items, listed
from training.model.model import TrainedModel
from training.ranking.engagements import Engagements
from training.ranking.market import Market, Sizes
from training.ranking.moments import Part, markets, parts
from training.ranking.order import Rankers

TREND_DAYS = 14
SMOOTHING = 3.0  # users
CHUNK = 512  # users that are encoded at once


@dataclass(frozen=True)
class Asked:
    """Users at one moment on each platform, and the transformer's scores of their candidates."""

    users: int
    every: list[Part]
    model: list[np.ndarray]


@dataclass(frozen=True)
class Predictor:
    """A model with the catalogue of one moment, and what all users did up to that moment."""

    trained: TrainedModel
    catalogue: Catalogue
    items: Tensor
    bias: Tensor
    markets: dict[str, Market] = field(default_factory=dict)  # by platform

    @classmethod
    def of(cls, trained: TrainedModel, catalogue: Catalogue, known: Engagements | None = None) -> "Predictor":
        """`known`: the engagements of all users; without them only user vectors are available."""
        places = markets(known, catalogue, _sizes(trained)) if known else {}
        return cls(trained, catalogue, *trained.item_vectors(catalogue), places)

    @property
    def rankers(self) -> Rankers:
        """The order of each list."""
        return self.trained.rankers

    @property
    def model_ds(self) -> str:
        """The day that the model was trained for."""
        return self.trained.card.ds

    @property
    def basis(self) -> str:
        """What propensities rest on."""
        return BY_MODEL

    def by_text_alone(self) -> np.ndarray:
        """[items] whether an item has no id of its own."""
        return self.trained.vocabulary.ids(self.catalogue) == 0

    def propensities(self, users: Tensor, states: UserStates, rows: np.ndarray) -> np.ndarray:
        """[rows, HEADS] published probabilities; `users` are the vectors of the rows."""
        return self.trained.propensities(users, states, rows)

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
        """[rows, items] which items may be listed at all."""
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
        """[items] log of an item's recent share of its platform over its share in training."""
        here = self.catalogue.platform == self.catalogue.platforms.index(platform)
        late = self.markets[platform].facts.users[TREND_DAYS] * here
        then = self.trained.frequency(self.catalogue) * here
        return torch.from_numpy(log_trend(late, then).astype(np.float32)).to(self.bias)

    def asked(self, states: UserStates, rows: np.ndarray, users: Tensor) -> Asked:
        """The candidates of `rows`, which all belong to one moment."""
        every = list(parts(states, rows, self.catalogue, self.markets))
        as_of = int(states.as_of[rows[0]]) if len(rows) else 0
        model = [self.model_scores(users[part.rows], part, as_of) for part in every]
        return Asked(len(rows), every, model)

    def listed(self, asked: Asked, name: str, most: int) -> Lists:
        """One published list, at most `most` long."""
        return listed(name, asked.every, asked.model, self.trained.rankers, asked.users, most)

    def scores(self, states: UserStates, rows: np.ndarray, users: Tensor, name: str) -> np.ndarray:
        """[rows, items] published scores; NEVER where an item is not in the list."""
        found = self.listed(self.asked(states, rows, users), name, len(self.catalogue))
        return found.dense(len(self.catalogue))


def log_trend(late: np.ndarray, then: np.ndarray) -> np.ndarray:
    """[items] log of an item's share of `late` users over its share of the users in training."""
    users = max(late.sum(), 1)
    return np.log((late + SMOOTHING) / users) - np.log(then / max(then.sum(), 1) + SMOOTHING / users)


def _sizes(trained: TrainedModel) -> Sizes:
    preset = trained.card.choices
    return Sizes(preset.ranked_items, preset.ease_items)
