"""Losses against their textbook forms."""

import numpy as np
import pytest
import torch

from training.network.losses import head_loss, item_loss


def test_with_all_candidates_it_is_the_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(1)
    users, items = torch.randn(5, 3, generator=generator), torch.randn(7, 3, generator=generator)
    bias, target = torch.randn(7, generator=generator), torch.tensor([0, 6, 2, 2, 3])
    found = item_loss(
        users,
        items[target],
        bias[target],
        items,
        bias,
        torch.zeros(7),
        torch.arange(7).unsqueeze(0) == target.unsqueeze(1),
    )
    expected = torch.nn.functional.cross_entropy(users @ items.T + bias, target, reduction="none")
    torch.testing.assert_close(found, expected)


def test_sampled_candidates_estimate_the_full_normaliser() -> None:
    # 2 of 4 other items drawn uniformly, so each stands for 2; the target scores exp(0) = 1.
    scores = torch.log(torch.tensor([[2.0], [3.0]]))
    found = item_loss(
        torch.ones(1, 1),
        torch.zeros(1, 1),
        torch.zeros(1),
        scores,
        torch.zeros(2),
        torch.log(torch.tensor([0.5, 0.5])),
        torch.zeros(1, 2, dtype=torch.bool),
    )
    assert found.exp().item() == pytest.approx(1 + 2 * (2 + 3))


def test_unknown_labels_do_not_count() -> None:
    logits = torch.zeros(2, 2)
    total, known = head_loss(logits, torch.tensor([[1.0, float("nan")], [0.0, 1.0]]))
    assert known.item() == 3
    assert total.item() == pytest.approx(3 * np.log(2))
