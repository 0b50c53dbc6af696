"""What the rankers say about users: the parts of the published lists, and the lists."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.baselines import own_repeats, recent_ranking
from training.blend import Blend, Trend
from training.catalogue import Catalogue
from training.ranking import NEVER, allowed_items, touched_items
from training.states import UserStates
from training.trained import TrainedModel

LISTS = ("next_items", "next_new_items")
SMOOTHING = 3.0  # events


@dataclass(frozen=True)
class Predictor:
    """A model with the catalogue of one day and what was popular up to then (by days of window)."""

    trained: TrainedModel
    catalogue: Catalogue
    items: Tensor
    bias: Tensor
    popular: dict[int, np.ndarray]

    @classmethod
    def of(
        cls, trained: TrainedModel, catalogue: Catalogue, popular: dict[int, np.ndarray]
    ) -> "Predictor":
        return cls(trained, catalogue, *trained.item_vectors(catalogue), popular)

    def users(self, states: UserStates, rows: np.ndarray) -> Tensor:
        """[rows, width] user vectors."""
        return self.trained.user_vectors(states.past, rows, self.catalogue, self.items)

    def allowed(self, states: UserStates, rows: np.ndarray, name: str) -> np.ndarray:
        """[rows, items] what may stand in the list `name`."""
        found = allowed_items(self.catalogue, states.platforms[rows], states.as_of[rows])
        if name == "next_items":
            return found
        return found & ~touched_items(states.past, rows, len(self.catalogue))

    def model(self, users: Tensor, allowed: np.ndarray, trend: Trend) -> np.ndarray:
        """[rows, items] probabilities by the transformer, moved by what is popular of late."""
        days, power = trend
        moved = self.bias + power * torch.from_numpy(self.trend(days)).to(self.bias)
        return self.trained.item_probabilities(users, self.items, moved, allowed)

    def trend(self, days: int) -> np.ndarray:
        """[items] log of the share of late over the share in training, smoothed by a few events."""
        late, then = self.popular[days], self.trained.frequency(self.catalogue)
        events = max(late.sum(), 1.0)
        return np.log((late + SMOOTHING) / events) - np.log(
            then / max(then.sum(), 1.0) + SMOOTHING / events
        )

    def own(self, states: UserStates, rows: np.ndarray, half_life: float) -> np.ndarray:
        """[rows, items] shares of the user's own history."""
        return own_repeats(states.past, rows, states.as_of, half_life, len(self.catalogue))

    def recent(self, days: int, allowed: np.ndarray) -> np.ndarray:
        """[rows, items] shares of recent popularity."""
        return recent_ranking(self.popular[days], allowed)

    def scores(
        self, states: UserStates, rows: np.ndarray, users: Tensor, name: str, blend: Blend
    ) -> np.ndarray:
        """[rows, items] published scores; NEVER where an item may not stand in the list."""
        allowed = self.allowed(states, rows, name)
        own = self.own(states, rows, blend.half_life) if blend.own else np.zeros(1, np.float32)
        model = self.model(users, allowed, (blend.trend_days, blend.trend))
        mixed = blend.mix(model, own, self.recent(blend.days, allowed))
        return np.where(allowed, mixed, NEVER)
