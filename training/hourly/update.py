"""A candidate: the serving version, moved by a few small steps on the hour's events and on older rows.

    bias    biases of items: how popular an item is. User vectors do not change
    user    the projection after the backbone
    heads   the propensity heads, on older rows only: no label is complete within an hour
    lora    a low-rank update of the backbone, if the model was tuned that way

Everything else is frozen. Every row counts once, however much its user did: ten thousand events of one account weigh
the same as one visit of another.
"""

import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.runtime.errors import ModelError
from training.data.catalogue import Catalogue
from training.data.draws import uniform
from training.data.users import Examples
from training.fitting.targets import Negatives
from training.hourly.predicted import Pairs
from training.model.model import TrainedModel
from training.network.losses import head_loss, item_loss
from training.network.network import Ensemble, InterestModel
from training.network.presets import Preset
from training.network.tuning import merge, tune

TUNINGS = ("lora", "adalora")


@dataclass(frozen=True)
class Steps:
    """How a candidate is made from the serving version. The values were chosen on one sample and judged on others."""

    parts: tuple[str, ...] = ("bias",)
    steps: int = 4
    rows: int = 256  # rows of the hour in a step, and the same number of older ones
    bias_rate: float = 10.0  # of plain gradient steps: items without engagements hardly move
    rate: float = 1e-4  # of Adam, for everything else
    replay: float = 0.25  # weight of the older rows relative to the hour's
    most: float = 0.3  # nats that a bias may move in an hour: bounds the effect of one hour


@dataclass(frozen=True)
class Rows:
    """Rows to learn from, and what is added to the scores of their items."""

    examples: Examples
    trend: np.ndarray  # [items]


def moving(trained: TrainedModel, parts: tuple[str, ...]) -> tuple[str, ...]:
    """The parts of this model that may move.

    The backbone only if it was tuned by low-rank updates; private heads never: their privacy budget has been spent.
    """
    preset = trained.card.choices
    held = {"lora": preset.tuning not in TUNINGS, "heads": preset.epsilon > 0}
    return tuple(part for part in parts if not held.get(part, False))


def candidate(trained: TrainedModel, hour: Rows, older: Rows, catalogue: Catalogue, plan: Steps) -> TrainedModel:
    """A copy of `trained` that has learned. Raises ModelError when its losses are not finite."""
    model = copy.deepcopy(trained.model)
    members = _members(model)
    parts = moving(trained, plan.parts)
    preset = replace(trained.card.choices, tuning="lora")
    for member in members:
        _free(member, parts, preset)
    started = [member.bias.weight.detach().clone() for member in members]
    learner = _Learner(replace(trained, model=model), catalogue, plan, parts)
    optimizers = _optimizers(model, plan)
    for step in range(plan.steps):
        loss = learner.loss(hour, step) + plan.replay * learner.loss(older, step)
        if not torch.isfinite(loss):
            raise ModelError(f"step {step}: expected a finite loss, found {loss.item()}; what serves stays")
        if not loss.requires_grad:
            break
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        for member, bias in zip(members, started, strict=True):
            member.bias.weight.data.clamp_(bias - plan.most, bias + plan.most)
    for member in members:
        merge(member)
    return replace(trained, model=model.eval().requires_grad_(False))


def _members(model: InterestModel | Ensemble) -> list[InterestModel]:
    if isinstance(model, Ensemble):
        return [model.member(number) for number in range(len(model.members))]
    return [model]


def _free(member: InterestModel, parts: tuple[str, ...], preset: Preset) -> None:
    """Makes only the named parts trainable."""
    member.eval().requires_grad_(False)
    if "lora" in parts:
        torch.manual_seed(preset.seed)
        tune(member, preset)
        member.requires_grad_(False)
        assert member.adapter is not None
        for name, weights in member.backbone.named_parameters():
            weights.requires_grad_("lora_" in name)
    for part in ("bias", "user", "heads"):
        if part in parts:
            getattr(member, part).requires_grad_(True)


def _optimizers(model: nn.Module, plan: Steps) -> list[torch.optim.Optimizer]:
    free = [(name, weights) for name, weights in model.named_parameters() if weights.requires_grad]
    biases = [weights for name, weights in free if name.endswith("bias.weight")]
    others = [weights for name, weights in free if not name.endswith("bias.weight")]
    found: list[torch.optim.Optimizer] = []
    if biases:
        found.append(torch.optim.SGD(biases, lr=plan.bias_rate))
    if others:
        found.append(torch.optim.AdamW(others, lr=plan.rate, weight_decay=0.0))
    return found


class _Learner:
    """The loss of a step."""

    def __init__(self, trained: TrainedModel, catalogue: Catalogue, plan: Steps, parts: tuple[str, ...]) -> None:
        self.trained, self.catalogue, self.plan = trained, catalogue, plan
        self.heads, self.reader_moves = "heads" in parts, "user" in parts or "lora" in parts
        self.ids = trained.vocabulary.ids(catalogue)
        # Includes items without an id, which share one bias: otherwise it would only be pushed up.
        every = np.arange(len(catalogue))
        self.candidates = Negatives(every, trained.frequency(catalogue), trained.card.choices)

    def loss(self, rows: Rows, step: int) -> Tensor:
        """Mean over rows of the item losses, and of the known labels of the heads."""
        examples = rows.examples
        if not len(examples):
            return torch.zeros(())
        luck = uniform(step, examples.key)
        chosen = np.sort(np.argsort(luck, kind="stable")[: self.plan.rows])
        items, bias = self._items()
        with torch.set_grad_enabled(self.reader_moves):  # biases and heads come after the backbone
            users = self.trained.read_users(examples.past, chosen, self.catalogue, items)
        asked = Pairs.of(examples, self.catalogue).among(chosen)
        bias, as_of = bias + torch.from_numpy(rows.trend), examples.as_of[chosen]
        total = self._item_loss(users, items, bias, asked, as_of, step)
        if self.heads:
            total = total + self._head_loss(users, examples, chosen)
        return total

    def _items(self) -> tuple[Tensor, Tensor]:
        text, ids = torch.from_numpy(self.catalogue.text), torch.from_numpy(self.ids)
        return self.trained.model.item_vectors(text, ids)

    def _item_loss(
        self, users: Tensor, items: Tensor, bias: Tensor, asked: Pairs, as_of: np.ndarray, step: int
    ) -> Tensor:
        if not len(asked.row):
            return torch.zeros(())
        positions, expected = self.candidates.of_step(0, step)
        platform = self.catalogue.platform
        others = platform[positions][None, :] != platform[asked.item][:, None]
        others |= self.catalogue.first_day[positions][None, :] > as_of[asked.row][:, None]
        is_target = others | (positions[None, :] == asked.item[:, None])
        losses = item_loss(
            users[asked.row],
            items[asked.item],
            bias[asked.item],
            items[positions],
            bias[positions],
            torch.from_numpy(expected),
            torch.from_numpy(is_target),
        )
        weight = torch.from_numpy(asked.weight).float()
        return (losses * weight).sum() / weight.sum()

    def _head_loss(self, users: Tensor, examples: Examples, rows: np.ndarray) -> Tensor:
        features = torch.from_numpy(examples.features[rows])
        logits = self.trained.model.propensity_logits(users, features)
        total, known = head_loss(logits, torch.from_numpy(examples.labels[rows]).float())
        return total / known.clamp(min=1)
