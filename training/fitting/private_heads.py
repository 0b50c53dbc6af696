"""Propensity heads trained with differential privacy: no user's labels can be inferred from them.

DP-SGD (Abadi et al. 2016) over users: each step draws users independently, clips the gradient of all rows of a user to
norm `dp_clip`, and adds Gaussian noise to their sum; the noise for the wanted epsilon comes from the accountant of
opacus (Rényi DP, Mironov 2017). The backbone is frozen.

Covered: everything that the heads' weights learn from a user, labels and counts alike. Not covered: the backbone, the
scale of the features, and what is fitted after the heads (calibration). The noise is seeded from the system's entropy,
because anyone with a logged seed could subtract it; so two runs differ. The generator is torch's, not a cryptographic
one.
"""

import math
import secrets
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import pad

from pipeline.runtime.errors import ModelError
from training.data import distributed
from training.network.losses import head_loss
from training.network.presets import Preset


@dataclass(frozen=True)
class Users:
    """The rows of each user, padded: [users, rows, ...]; padding rows have no label."""

    inputs: Tensor  # what the heads read
    labels: Tensor

    @classmethod
    def of(cls, user: np.ndarray, inputs: Tensor, labels: Tensor) -> "Users":
        """From rows and the number of each row's user."""
        _, counts = np.unique(user, return_counts=True)
        order = np.argsort(user, kind="stable")
        first = np.cumsum(counts) - counts
        slots = np.arange(counts.max())[None, :]
        place = np.where(slots < counts[:, None], first[:, None] + slots, len(user))
        rows = torch.from_numpy(np.append(order, len(user))[place]).to(inputs.device)
        nothing = float("nan")
        return cls(pad(inputs, (0, 0, 0, 1))[rows], pad(labels, (0, 0, 0, 1), value=nothing)[rows])

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Privacy:
    """The guarantee: (epsilon, delta) for adding or removing one user, and the noise used."""

    epsilon: float
    delta: float
    noise: float  # standard deviation of the noise, in clipping norms
    users: int
    sample_rate: float
    steps: int


def fit_private_heads(heads: nn.Sequential, users: Users, preset: Preset) -> Privacy:
    """Trains fresh heads in place, on the `users` of this process. Uses no validation data."""
    number = int(distributed.total_of(np.array([len(users)]), users.labels.device)[0])
    rate = min(1.0, preset.dp_users / number)
    noise = noise_for(preset.epsilon, preset.delta, rate, preset.dp_steps)
    torch.manual_seed(preset.seed)
    for layer in heads:
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()
    optimizer = torch.optim.Adam(heads.parameters(), lr=preset.learning_rate)
    entropy = torch.Generator().manual_seed(secrets.randbits(62))
    heads.eval()
    for _ in range(preset.dp_steps):
        drawn = torch.rand(len(users), generator=entropy) < rate
        sums = clipped_sums(heads, users, drawn.to(users.labels.device), preset.dp_clip)
        for name, weights in heads.named_parameters():
            if distributed.rank() == 0:  # once over all processes
                shape, width = weights.shape, noise * preset.dp_clip
                sums[name] += width * torch.randn(shape, generator=entropy).to(weights.device)
            weights.grad = distributed.total(sums[name]) / (rate * number)
        optimizer.step()
    spent = spent_epsilon(noise, preset.delta, rate, preset.dp_steps)
    return Privacy(spent, preset.delta, noise, number, rate, preset.dp_steps)


def clipped_sums(heads: nn.Module, users: Users, drawn: Tensor, clip: float) -> dict[str, Tensor]:
    """The sum of the drawn users' gradients, each clipped to norm `clip`, by weight."""
    weights = {name: w.detach() for name, w in heads.named_parameters()}

    def loss(weights: dict[str, Tensor], inputs: Tensor, labels: Tensor) -> Tensor:
        total, known = head_loss(functional_call(heads, weights, (inputs,)), labels)
        return total / known.clamp(min=1)

    columns = (users.inputs[drawn], users.labels[drawn])
    gradients = vmap(grad(loss), in_dims=(None, 0, 0))(weights, *columns)
    norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients.values()]).norm(dim=0)
    scale = (clip / norms.clamp(min=1e-12)).clamp(max=1.0)
    return {name: torch.tensordot(scale, g, dims=1) for name, g in gradients.items()}


def noise_for(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """The smallest noise multiplier that satisfies (epsilon, delta); 0 for an infinite epsilon.

    Raises ModelError if no noise would suffice.
    """
    from opacus.accountants.utils import get_noise_multiplier

    if math.isinf(epsilon):
        return 0.0
    wanted = {"target_epsilon": epsilon, "target_delta": delta}
    try:
        return float(get_noise_multiplier(**wanted, sample_rate=rate, steps=steps))
    except ValueError:
        raise ModelError(
            f"preset: expected an epsilon that can be accounted for at delta {delta}, found "
            f"{epsilon}; take a larger one, at least {math.log(1 / delta) / 60:.2f}"
        ) from None


def spent_epsilon(noise: float, delta: float, rate: float, steps: int) -> float:
    """The epsilon of `steps` draws at sampling rate `rate` with this noise."""
    from opacus.accountants import RDPAccountant

    if not noise:
        return math.inf
    accountant = RDPAccountant()
    accountant.history = [(noise, rate, steps)]
    return float(accountant.get_epsilon(delta))
