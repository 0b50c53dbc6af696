"""The transformer that reads events: built from sizes, or any pretrained Hugging Face model.

Events come as vectors (`inputs_embeds`), so a model's own word embeddings are left out. Encoders see the whole
sequence, so they get a causal mask: a user's vector must not know what comes next.
"""

import json
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, DynamicCache, LlamaConfig, LlamaModel
from transformers.utils import logging

from pipeline.runtime.errors import ModelError
from training.texts.language_model import model_folder

SHORTEST = 4  # events; shorter rows are read with these


@dataclass(frozen=True)
class Pretrained:
    """A model that was read from disk: its configuration, to build it again, and its weights."""

    config: dict[str, Any]
    weights: dict[str, Tensor]
    masked: bool  # whether it needs a causal mask


def read_pretrained(name: str, events: int) -> Pretrained:
    """The model of a package, folder or cached Hugging Face id, for sequences of `events` events.

    Raises ModelError if it cannot be loaded, or cannot read vectors in the order of time.
    """
    logging.disable_progress_bar()
    try:
        model = AutoModel.from_pretrained(model_folder(name), dtype=torch.float32, use_safetensors=True)
        config = json.loads(model.config.to_json_string(use_diff=False))
        bare = _bare(model).eval()
        masked = next((mask for mask in (False, True) if not _looks_ahead(bare, events, mask)), None)
    except Exception as error:
        raise ModelError(
            f"backbone {name!r}: expected a Hugging Face encoder or decoder on disk that reads "
            f"{events + 1} vectors, found {type(error).__name__}: {str(error).splitlines()[:1]}; "
            "take another model, or a preset with fewer events"
        ) from error
    if masked is None:
        raise ModelError(f"backbone {name!r}: it looks ahead despite the mask; take another")
    return Pretrained(config, bare.state_dict(), masked)


def built(config: dict[str, Any]) -> nn.Module:
    """A model with that configuration and random weights."""
    return _bare(AutoModel.from_config(AutoConfig.for_model(**config), dtype=torch.float32))


def llama(width: int, layers: int, attention_heads: int, positions: int) -> nn.Module:
    """Llama blocks of the given sizes."""
    config = LlamaConfig(
        vocab_size=1,
        bos_token_id=None,
        eos_token_id=None,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=attention_heads,
        num_key_value_heads=attention_heads,
        max_position_embeddings=positions,
    )
    return _bare(LlamaModel(config))


def prefix_shape(backbone: nn.Module, length: int) -> tuple[int, int, int, int, int]:
    """The shape of learned keys and values: layers, key and value, heads, positions, width of a head."""
    config: Any = backbone.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return config.num_hidden_layers, 2, heads, length, width


def read(backbone: nn.Module, events: Tensor, masked: bool, prefix: Tensor | None = None) -> Tensor:
    """[rows, positions, width] hidden states after each of the [rows, positions, width] events."""
    given: dict[str, Any] = {"use_cache": False}
    if masked:
        size = events.shape[1]
        later = torch.ones(size, size, dtype=torch.bool, device=events.device).triu(1)
        floor = torch.finfo(torch.float32).min
        mask = torch.zeros(size, size, device=events.device).masked_fill(later, floor)
        given["attention_mask"] = mask.expand(len(events), 1, -1, -1)
    if prefix is not None:
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(prefix.unsqueeze(2).expand(-1, -1, len(events), -1, -1, -1)):
            cache.update(keys, values, layer)
        given |= {"past_key_values": cache, "use_cache": True}
    return backbone(inputs_embeds=events, **given).last_hidden_state


def like_lengths(last: Tensor) -> list[tuple[Tensor, int]]:
    """Groups of rows whose `last` positions lie within a factor of two, and how many positions each group needs."""
    if not len(last):
        return [(last, 1)]
    doublings = last.clamp(min=SHORTEST).log2().ceil()
    groups = [(doublings == doubling).nonzero().squeeze(1) for doubling in doublings.unique()]
    return [(rows, int(last[rows].max()) + 1) for rows in groups]


def _bare(model: nn.Module) -> nn.Module:
    """The model without the parts that vectors never reach: an unused weight would break DDP."""
    model.set_input_embeddings(None)  # type: ignore[operator]
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # type: ignore[assignment]
    return model


@torch.inference_mode()
def _looks_ahead(model: nn.Module, events: int, masked: bool) -> bool:
    """Whether the last event changes the outputs after the earlier ones."""
    config: Any = model.config
    generator = torch.Generator().manual_seed(1)
    one, change = torch.randn(2, 1, events + 1, config.hidden_size, generator=generator)
    other = one.clone()
    other[:, -1] += 10 * change[:, -1]
    first, second = (read(model, vectors, masked)[:, :-1] for vectors in (one, other))
    return not torch.allclose(first, second, atol=1e-5)
