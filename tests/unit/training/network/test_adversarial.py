"""The worst shift of events: size, direction, and what it does to a loss."""

import torch

from training.network.losses import worst_shift


def test_it_goes_along_the_gradient_by_a_share_of_the_norm() -> None:
    # Row norms 5 and 13; the loss is steepest along the weights (0, 1) and (3, 4) / 5.
    events = torch.tensor([[[3.0, 4.0]], [[5.0, 12.0]]], requires_grad=True)
    weights = torch.tensor([[[0.0, 7.0]], [[3.0, 4.0]]])
    shift = worst_shift(events, (events * weights).sum(), 0.1)
    expected = torch.tensor([[[0.0, 0.5]], [[0.78, 1.04]]])
    assert torch.allclose(shift, expected, atol=1e-6)


def test_a_row_that_the_loss_does_not_see_stays() -> None:
    events = torch.ones(2, 3, 4, requires_grad=True)
    shift = worst_shift(events, (events[0] ** 2).sum(), 0.5)
    assert shift[0].norm() > 0
    assert torch.equal(shift[1], torch.zeros(3, 4))
