"""What of a backbone is trained: all of it, nothing, or a few added weights.

    full      all of it
    frozen    nothing: only what surrounds it
    lora      low-rank updates of its linear layers (Hu et al. 2021)
    adalora   the same with ranks moved to where they matter (Zhang et al. 2023)
    ia3       a learned scale of each linear layer's output (Liu et al. 2022): a small adapter
    prefix    learned keys and values before the first event (Li and Liang 2021); decoders only

All but the prefix are merged into the backbone when training ends, so that a published model is
an ordinary one.
"""

from typing import Any

import torch
from torch import Tensor, nn

from pipeline.errors import ModelError
from training import backbone
from training.model import InterestModel
from training.presets import Preset

NAME = "tuned"  # of the one adapter
ORTHOGONAL = 0.1  # weight of AdaLoRA's penalty


class Adapter(nn.Module):
    """A peft tuner of a backbone; for AdaLoRA also its running averages, which checkpoints keep."""

    def __init__(self, tuner: Any) -> None:
        super().__init__()
        self._hidden = [tuner]  # in a list: its weights are those of the backbone
        self._names = [n for n, _ in self.tuner.model.named_parameters() if "lora_" in n]
        if self.ranks is not None:
            weights = dict(self.tuner.model.named_parameters())
            for number, name in enumerate(self._names):
                for kind in ("ipt", "unc"):
                    zeros = torch.zeros_like(weights[name], requires_grad=False)
                    self.register_buffer(f"{kind}_{number}", zeros)

    @property
    def tuner(self) -> Any:
        return self._hidden[0]

    @property
    def ranks(self) -> Any:
        """AdaLoRA's allocator, None for the others."""
        return getattr(self.tuner, "rankallocator", None)

    def penalty(self) -> Tensor:
        """How far the factors of AdaLoRA are from orthogonal; 0 for the others."""
        if self.ranks is None:
            return torch.zeros(())
        found = []
        for name, weights in self.tuner.model.named_parameters():
            if "lora_A" in name or "lora_B" in name:
                square = weights @ weights.T if "lora_A" in name else weights.T @ weights
                found.append(torch.norm(square - torch.eye(len(square), device=square.device)))
        return ORTHOGONAL * torch.stack(found).mean()

    def after_step(self, step: int, steps: int) -> None:
        """Moves ranks, from the gradients of the step that was just taken."""
        if self.ranks is None:
            return
        config = self.ranks.peft_config
        config.total_step, config.tinit = max(steps, 3), min(config.tinit, steps // 3)
        kept = {"exp_avg_ipt": "ipt", "exp_avg_unc": "unc"}
        for number, name in enumerate(self._names):
            self.ranks.ipt[name] = torch.zeros(())
            for average, kind in kept.items():
                getattr(self.ranks, average)[name] = self.get_buffer(f"{kind}_{number}")
        self.ranks.update_and_allocate(self.tuner.model, step)
        for number, name in enumerate(self._names):
            for average, kind in kept.items():
                self.get_buffer(f"{kind}_{number}").copy_(getattr(self.ranks, average)[name])


def tune(model: InterestModel, preset: Preset) -> None:
    """Leaves trainable what the preset's `tuning` names."""
    if preset.tuning == "full":
        _freeze_unreached(model)
        return
    model.backbone.requires_grad_(False)
    if preset.tuning in ("lora", "adalora", "ia3"):
        model.adapter = Adapter(_tuner(model.backbone, preset))
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


def _tuner(reader: nn.Module, preset: Preset) -> Any:
    from peft import AdaLoraConfig, AdaLoraModel, IA3Config, IA3Model, LoraConfig, LoraModel

    linear = [name for name, part in reader.named_modules() if isinstance(part, nn.Linear)]
    rank: dict[str, Any] = {"lora_alpha": 2 * preset.rank, "target_modules": linear}
    if preset.tuning == "lora":
        return LoraModel(reader, LoraConfig(r=preset.rank, **rank), NAME)
    if preset.tuning == "ia3":
        return IA3Model(reader, IA3Config(target_modules=linear, feedforward_modules=[]), NAME)
    budget = AdaLoraConfig(
        init_r=preset.rank + preset.rank // 2, target_r=preset.rank, total_step=1000, tinit=20,
        tfinal=0, deltaT=5, **rank,
    )  # fmt: skip
    return AdaLoraModel(reader, budget, NAME)


def _check_prefix(model: InterestModel) -> None:
    if model.shape.masked:
        raise ModelError("tuning prefix: expected a decoder as backbone, found an encoder")


def _freeze_unreached(model: InterestModel) -> None:
    """A pretrained model may have weights that no event reaches; DDP must not wait for them."""
    reader = model.backbone
    width = int(reader.config.hidden_size)  # type: ignore[union-attr, arg-type]
    device = next(reader.parameters()).device
    backbone.read(
        reader, torch.ones(1, 2, width, device=device), model.shape.masked
    ).sum().backward()
    for weights in reader.parameters():
        weights.requires_grad_(weights.grad is not None)
        weights.grad = None
