"""A moving average of weights: steadier than the last step's weights; the average is what is published.

Source: Polyak and Juditsky 1992; the decay rises over the first steps, so that the average quickly forgets the random
start.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from training.network.network import InterestModel
from training.network.presets import Preset


class MovingAverage:
    """average <- decay x average + (1 - decay) x weights, after each step. Buffers are not averaged.

    A decay of 0 means no averaging: the weights themselves.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self._weights = dict(model.named_parameters())
        self._average = {name: w.detach().clone() for name, w in self._weights.items()}

    def update(self) -> None:
        """After an optimizer step."""
        self.steps += 1
        if self.decay:
            step = get_ema_multi_avg_fn(min(self.decay, self.steps / (self.steps + 9)))
            step(list(self._average.values()), list(self._weights.values()), self.steps)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model with the average as its weights."""
        if not self.decay:
            yield
            return
        own = {name: weights.detach().clone() for name, weights in self._weights.items()}
        self._put(self._average)
        try:
            yield
        finally:
            self._put(own)

    def state(self) -> dict[str, Tensor]:
        """The input of `restore`; empty if nothing is averaged."""
        return dict(self._average) if self.decay else {}

    @torch.no_grad()
    def restore(self, state: dict[str, Tensor], steps: int) -> None:
        """Continues from a checkpoint of `steps` steps."""
        self.steps = steps
        for name, average in state.items():
            self._average[name].copy_(average)

    @torch.no_grad()
    def _put(self, values: dict[str, Tensor]) -> None:
        for name, weights in self._weights.items():
            weights.copy_(values[name])


@dataclass(frozen=True)
class Learner:
    """Updates the weights after each step: the optimizer, and the moving average that follows it."""

    optimizer: torch.optim.Optimizer
    average: MovingAverage

    @classmethod
    def of(cls, model: InterestModel, preset: Preset) -> "Learner":
        optimizer = torch.optim.AdamW(model.parameters(), lr=preset.learning_rate, weight_decay=preset.weight_decay)
        return cls(optimizer, MovingAverage(model, preset.average))

    def set_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
