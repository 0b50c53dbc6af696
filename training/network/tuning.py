"""Which part of a backbone is trained: all of it, nothing, or a few added weights.

    full      all of it
    frozen    nothing: only the layers around it
    lora      low-rank updates of its linear layers (Hu et al. 2021)
    adalora   the same with ranks moved to where they matter (Zhang et al. 2023)
    ia3       a learned scale of each linear layer's output (Liu et al. 2022): a small adapter
    prefix    learned keys and values before the first event (Li and Liang 2021); decoders only

All except the prefix are merged into the backbone when training ends, so a published model is an ordinary one.
"""

from typing import Any

import torch
from torch import nn

from pipeline.runtime.errors import ModelError
from training.network import backbone
from training.network.adapter import Adapter
from training.network.network import InterestModel
from training.network.presets import Preset

NAME = "tuned"  # of the one adapter


def tune(model: InterestModel, preset: Preset) -> None:
    """Makes only the part that the preset's `tuning` names trainable."""
    if preset.tuning == "full":
        _freeze_unreached(model)
        return
    model.backbone.requires_grad_(False)
    if preset.tuning in ("lora", "adalora", "ia3"):
        model.adapter = Adapter(tuner(model.backbone, preset.tuning, preset.rank))
    elif preset.tuning == "prefix":
        _check_prefix(model)
    elif preset.tuning != "frozen":
        raise ModelError(f"preset {preset.name}: unknown tuning {preset.tuning!r}")


def merge(model: InterestModel) -> None:
    """Adds what an adapter learned to the backbone's own weights."""
    if model.adapter is None:
        return
    adapter, model.adapter = model.adapter, None
    model.backbone = adapter.tuner.merge_and_unload()
    model.backbone.requires_grad_(True)


def trainable(model: nn.Module) -> int:
    """How many parameters have gradients."""
    return sum(weights.numel() for weights in model.parameters() if weights.requires_grad)


def tuner(reader: nn.Module, tuning: str, rank: int) -> Any:
    """A peft tuner of all linear layers of `reader`, which it changes in place; `tuning` is lora, adalora or ia3."""
    from peft import AdaLoraConfig, AdaLoraModel, IA3Config, IA3Model, LoraConfig, LoraModel

    linear = [name for name, part in reader.named_modules() if isinstance(part, nn.Linear)]
    low_rank: dict[str, Any] = {"lora_alpha": 2 * rank, "target_modules": linear}
    if tuning == "lora":
        return LoraModel(reader, LoraConfig(r=rank, **low_rank), NAME)
    if tuning == "ia3":
        return IA3Model(reader, IA3Config(target_modules=linear, feedforward_modules=[]), NAME)
    budget = AdaLoraConfig(
        init_r=rank + rank // 2,
        target_r=rank,
        total_step=1000,
        tinit=20,
        tfinal=0,
        deltaT=5,
        **low_rank,
    )
    return AdaLoraModel(reader, budget, NAME)


def _check_prefix(model: InterestModel) -> None:
    if model.shape.masked:
        raise ModelError("tuning prefix: expected a decoder as backbone, found an encoder")


def _freeze_unreached(model: InterestModel) -> None:
    """A pretrained model may have weights that no event reaches; DDP must not wait for them."""
    reader = model.backbone
    width = int(reader.config.hidden_size)  # type: ignore[union-attr, arg-type]
    device = next(reader.parameters()).device
    backbone.read(reader, torch.ones(1, 2, width, device=device), model.shape.masked).sum().backward()
    for weights in reader.parameters():
        weights.requires_grad_(weights.grad is not None)
        weights.grad = None
