"""Adversarial training: the loss also of events that are shifted where it hurts most.

Source: Miyato, Dai and Goodfellow 2017, "Adversarial training methods for semi-supervised text
classification" (one step along the normalised gradient of the input vectors).
"""

import torch
from torch import Tensor


def worst_shift(events: Tensor, loss: Tensor, size: float) -> Tensor:
    """[rows, positions, width] `size` x the norm of a row's events, along the loss's gradient.

    Rows are shifted on their own; one that the loss does not depend on stays where it is.
    """
    (gradient,) = torch.autograd.grad(loss, events, retain_graph=True)
    steepness = gradient.flatten(1).norm(dim=1)
    reach = size * events.detach().flatten(1).norm(dim=1)
    scale = torch.where(steepness > 0, reach / steepness.clamp(min=1e-30), 0.0)
    return gradient * scale[:, None, None]
