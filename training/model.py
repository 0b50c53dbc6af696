"""The interest model: a causal transformer over a user's events, with propensity heads.

    event = item vector + event type + platform + time gap + price
    item vector = projected text embedding + learned id embedding, which is dropped at random

An item without an id of its own (id 0: unknown) has a vector from its text, on its first day.
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaModel

from training.presets import Preset
from training.sequences import GAPS, KINDS, PRICES


@dataclass(frozen=True)
class Shape:
    """Sizes that the weights depend on; kept with them."""

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

    @classmethod
    def of(cls, preset: Preset, **data: int) -> "Shape":
        return cls(
            preset.width, preset.layers, preset.attention_heads, preset.head_width, preset.events,
            preset.dropout, **data,
        )  # fmt: skip

    def as_dict(self) -> dict[str, int | float]:
        return asdict(self)


@dataclass(frozen=True)
class Inputs:
    """Tensors of `batches.Tokens`, with items counted in the rows of the item vectors at hand.

    `item` is 0 where there is none, else 1 + the row in `item_vectors`' result.
    """

    item: Tensor
    kind: Tensor
    platform: Tensor
    gap: Tensor
    price: Tensor


class InterestModel(nn.Module):
    """Weights of everything that is learned by gradient."""

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
        self.user = nn.Linear(width, width)
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
        return self.read(self.events(inputs, items))

    def events(self, inputs: Inputs, items: Tensor) -> Tensor:
        """[rows, positions, width] vectors of the events themselves."""
        padded = torch.cat([items.new_zeros(1, items.shape[1]), items])
        events = padded[inputs.item] + self.kind(inputs.kind) + self.platform(inputs.platform)
        return events + self.gap(inputs.gap) + self.price(inputs.price)

    def read(self, events: Tensor) -> Tensor:
        """[rows, positions, width] user vectors after each of the events."""
        # Padding stands on the right: a causal model never sees it, so no mask is needed.
        read = self.backbone(inputs_embeds=self.drop(events), use_cache=False)
        return self.user(read.last_hidden_state)

    def propensity_logits(self, users: Tensor, features: Tensor) -> Tensor:
        """[rows, heads] from user vectors and windowed counts."""
        return self.heads(self.head_inputs(users, features))

    def head_inputs(self, users: Tensor, features: Tensor) -> Tensor:
        """[rows, width + features] what the heads read."""
        scaled = ((features - self.mean) / self.spread).clamp(-5, 5)
        return torch.cat([users, scaled], dim=1)


def _backbone(shape: Shape) -> LlamaModel:
    config = LlamaConfig(
        vocab_size=1,
        bos_token_id=None,
        eos_token_id=None,
        hidden_size=shape.width,
        intermediate_size=2 * shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.attention_heads,
        num_key_value_heads=shape.attention_heads,
        max_position_embeddings=shape.events + 1,
    )
    backbone = LlamaModel(config)
    del backbone.embed_tokens  # events come as vectors; an unused weight would break DDP
    return backbone
