"""Losses as sums over what counts: the caller divides by the total number over all processes."""

import torch
from torch import Tensor
from torch.nn import functional


def item_loss(
    users: Tensor,
    target: Tensor,
    target_bias: Tensor,
    candidates: Tensor,
    candidate_bias: Tensor,
    log_expected: Tensor,
    is_target: Tensor,
) -> Tensor:
    """[n] negative log-likelihood of a later item under a softmax over (sampled) candidates.

    users, target: [n, width]; candidates: [c, width], each stands for exp(-log_expected) items: the importance-sampled
    normaliser (logQ correction, Bengio and Senecal 2008); zeros for a full softmax. `is_target` [n, c] marks candidates
    that are the target, so that it counts once.
    """
    own = (users * target).sum(1) + target_bias
    others = users @ candidates.T + (candidate_bias - log_expected)
    others = others.float().masked_fill(is_target, float("-inf"))
    return torch.logsumexp(torch.cat([own.float().unsqueeze(1), others], dim=1), dim=1) - own.float()


def head_loss(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of the binary cross-entropies, and their number; NaN labels do not count."""
    known = ~torch.isnan(labels)
    losses = functional.binary_cross_entropy_with_logits(logits.float(), torch.nan_to_num(labels), reduction="none")
    return (losses * known).sum(), known.sum()


def worst_shift(events: Tensor, loss: Tensor, size: float) -> Tensor:
    """[rows, positions, width] `size` x the norm of a row's events, along the loss's gradient.

    Each row is shifted on its own; a row that the loss does not depend on is not shifted.
    """
    (gradient,) = torch.autograd.grad(loss, events, retain_graph=True)
    steepness = gradient.flatten(1).norm(dim=1)
    reach = size * events.detach().flatten(1).norm(dim=1)
    scale = torch.where(steepness > 0, reach / steepness.clamp(min=1e-30), 0.0)
    return gradient * scale[:, None, None]
