"""The interest model: a causal transformer over a user's events, with propensity heads.

    event = item vector + event type + platform + time gap + price
    item vector = projected text embedding + learned id embedding, which is dropped at random

An item without an id of its own (id 0: unknown) still gets a vector from its text, on its first day.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from training.data.sequences import GAPS, KINDS, PRICES
from training.network import backbone
from training.network.adapter import Adapter
from training.network.inputs import Inputs
from training.network.presets import Preset


@dataclass(frozen=True)
class Shape:
    """Sizes that the weights depend on; stored with them."""

    width: int
    layers: int
    attention_heads: int
    head_width: int
    events: int
    dropout: float
    text_width: int
    ids: int  # items with an id of their own
    platforms: int
    features: int
    heads: int
    backbone: dict[str, Any] | None = None  # a Hugging Face configuration; None = Llama blocks
    masked: bool = False  # whether the backbone needs a causal mask
    prefix: int = 0  # learned positions before the first event
    reads_text: bool = False  # of queries and reviews

    @classmethod
    def of(cls, preset: Preset, **data: Any) -> "Shape":
        return cls(
            preset.width,
            preset.layers,
            preset.attention_heads,
            preset.head_width,
            preset.events,
            preset.dropout,
            reads_text=preset.reads_text,
            **data,
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class InterestModel(nn.Module):
    """Everything that is learned by gradient descent."""

    mean: Tensor
    spread: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        self.shape = shape
        self.text = nn.Linear(shape.text_width, width)
        self.ids = nn.Embedding(1 + shape.ids, width)
        self.bias = nn.Embedding(1 + shape.ids, 1)
        self.kind = nn.Embedding(1 + KINDS, width)
        self.platform = nn.Embedding(1 + shape.platforms, width)
        self.gap = nn.Embedding(GAPS, width)
        self.price = nn.Embedding(1 + PRICES, width)
        self.backbone = _backbone(shape)
        inner = int(self.backbone.config.hidden_size)  # type: ignore[union-attr, arg-type]
        self.enter = nn.Identity() if inner == width else nn.Linear(width, inner)
        self.user = nn.Linear(inner, width)
        self.prefix: nn.Parameter | None = None
        if shape.prefix:
            sizes = backbone.prefix_shape(self.backbone, shape.prefix)
            self.prefix = nn.Parameter(0.02 * torch.randn(sizes))
        self.adapter: Adapter | None = None  # while an added part is trained: training/network/tuning.py
        self.register_buffer("mean", torch.zeros(shape.features))
        self.register_buffer("spread", torch.ones(shape.features))
        self.heads = nn.Sequential(
            nn.Linear(width + shape.features, shape.head_width),
            nn.GELU(),
            nn.Dropout(shape.dropout),
            nn.Linear(shape.head_width, shape.heads),
        )
        self.drop = nn.Dropout(shape.dropout)
        for table in (self.ids, self.kind, self.platform, self.gap, self.price):
            nn.init.normal_(table.weight, std=0.02)
        nn.init.zeros_(self.bias.weight)

    def item_vectors(self, text: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """[n, width] vectors and [n] biases of items from [n, text] embeddings and [n] ids."""
        return self.text(text) + self.ids(ids), self.bias(ids).squeeze(-1)

    def hidden(self, inputs: Inputs, items: Tensor) -> Tensor:
        """[rows, positions, width] user vectors after each event."""
        return self.read(self.events(inputs, items), inputs.last)

    def events(self, inputs: Inputs, items: Tensor) -> Tensor:
        """[rows, positions, width] vectors of the events themselves; 0 after a row's last."""
        inside = torch.arange(inputs.kind.shape[1], device=items.device) <= inputs.last[:, None]
        kind, platform = self.kind(inputs.kind[inside]), self.platform(inputs.platform[inside])
        gap, price = self.gap(inputs.gap[inside]), self.price(inputs.price[inside])
        events = _or_none(items)[inputs.item[inside]] + kind + platform + gap + price
        if inputs.said is not None and inputs.texts is not None:
            events = events + _or_none(self.text(inputs.texts))[inputs.said[inside]]
        padded = events.new_zeros(*inside.shape, events.shape[1])
        return padded.masked_scatter(inside[:, :, None], events)

    def read(self, events: Tensor, last: Tensor) -> Tensor:
        """[rows, positions, width] user vectors after each event up to a row's `last` one."""
        # Padding is on the right: a causal model never sees it, so no mask is needed. Most rows are short: rows of
        # similar length are read together, without most of their padding.
        entered, parts, order = self.enter(self.drop(events)), [], []
        for rows, positions in backbone.like_lengths(last):
            some = entered[rows, :positions]
            read = backbone.read(self.backbone, some, self.shape.masked, self.prefix)
            parts.append(pad(self.user(read), (0, 0, 0, events.shape[1] - positions)))
            order.append(rows)
        return torch.cat(parts)[torch.cat(order).argsort()]

    def propensity_logits(self, users: Tensor, features: Tensor) -> Tensor:
        """[rows, heads] from user vectors and windowed counts."""
        return self.heads(self.head_inputs(users, features))

    def head_inputs(self, users: Tensor, features: Tensor) -> Tensor:
        """[rows, width + features] what the heads read."""
        scaled = ((features - self.mean) / self.spread).clamp(-5, 5)
        return torch.cat([users, scaled], dim=1)


def _or_none(vectors: Tensor) -> Tensor:
    """[1 + n, width] vectors numbered from 1; row 0 means none."""
    return torch.cat([vectors.new_zeros(1, vectors.shape[1]), vectors])


def _backbone(shape: Shape) -> nn.Module:
    if shape.backbone is not None:
        return backbone.built(shape.backbone)
    return backbone.llama(shape.width, shape.layers, shape.attention_heads, shape.events + 1)


def together(members: list[InterestModel]) -> "InterestModel | Ensemble":
    """One model: the only member, or the ensemble of several."""
    return members[0] if len(members) == 1 else Ensemble(members)


class Ensemble(nn.Module):
    """Used like one `InterestModel`. The members share one shape and one vocabulary."""

    def __init__(self, members: list[InterestModel]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self._members = members  # the same, with their type
        self.shape = members[0].shape

    def item_vectors(self, text: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """[n, members x width] vectors and [n] mean biases."""
        vectors, biases = zip(*(m.item_vectors(text, ids) for m in self._members), strict=True)
        return torch.cat(vectors, dim=1), torch.stack(biases).mean(dim=0)

    def hidden(self, inputs: Inputs, items: Tensor) -> Tensor:
        """[rows, positions, members x width] user vectors, scaled so that a product with item vectors is a mean."""
        read = zip(self._members, self._shares(items), strict=True)
        hidden = [member.hidden(inputs, share) for member, share in read]
        return torch.cat(hidden, dim=-1) / len(self._members)

    def propensity_logits(self, users: Tensor, features: Tensor) -> Tensor:
        """[rows, heads] mean logits."""
        read = zip(self._members, self._shares(users * len(self._members)), strict=True)
        return torch.stack([m.propensity_logits(own, features) for m, own in read]).mean(dim=0)

    def member(self, number: int) -> InterestModel:
        """One of the models; numbers wrap around, so any number names one."""
        return self._members[number % len(self._members)]

    def _shares(self, vectors: Tensor) -> tuple[Tensor, ...]:
        return vectors.chunk(len(self._members), dim=-1)
