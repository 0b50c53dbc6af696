"""A peft tuner, kept outside the backbone that it tunes."""

from typing import Any

import torch
from torch import Tensor, nn

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
        """AdaLoRA's rank allocator, None for the other tuners."""
        return getattr(self.tuner, "rankallocator", None)

    def penalty(self) -> Tensor:
        """How far AdaLoRA's factors are from orthogonal; 0 for the other tuners."""
        if self.ranks is None:
            return torch.zeros(())
        found = []
        for name, weights in self.tuner.model.named_parameters():
            if "lora_A" in name or "lora_B" in name:
                square = weights @ weights.T if "lora_A" in name else weights.T @ weights
                found.append(torch.norm(square - torch.eye(len(square), device=square.device)))
        return ORTHOGONAL * torch.stack(found).mean()

    def after_step(self, step: int, steps: int) -> None:
        """Reallocates ranks from the gradients of the step just taken."""
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
