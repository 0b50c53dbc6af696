"""Differentially private heads: whose rows are whose, clipping, noise and the accountant."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.runtime.errors import ModelError
from training.data.users import HEADS
from training.fitting.private_heads import (
    Users,
    clipped_sums,
    fit_private_heads,
    noise_for,
    spent_epsilon,
)
from training.network.presets import PRESETS

NAN = float("nan")


def line(inputs: int) -> nn.Sequential:
    """One linear head with weights 0: the gradient of a row is (0.5 - label) x its inputs."""
    head = nn.Linear(inputs, 1, bias=False)
    nn.init.zeros_(head.weight)
    return nn.Sequential(head)


def users_of(*rows: tuple[int, list[float], float]) -> Users:
    user, inputs, labels = zip(*rows, strict=True)
    return Users.of(np.array(user), torch.tensor(inputs), torch.tensor(labels)[:, None])


def test_rows_are_gathered_by_user() -> None:
    found = users_of((7, [1.0], 1.0), (3, [2.0], 0.0), (7, [3.0], 0.0))
    assert len(found) == 2
    assert found.inputs[:, :, 0].tolist() == [[2.0, 0.0], [1.0, 3.0]]
    assert torch.isnan(found.labels[0, 1, 0])
    assert found.labels[1, :, 0].tolist() == [1.0, 0.0]


def test_a_user_counts_once_however_many_rows_there_are() -> None:
    # User 1: mean of -0.5 x (3, 4) and 0.5 x (3, 4) is 0. User 2: -0.5 x (6, 8), norm 5, cut to 1.
    # User 3: -0.5 x (0.6, 0.8), norm 0.5, as it is. User 4 has no label.
    users = users_of(
        (1, [3.0, 4.0], 1.0),
        (1, [3.0, 4.0], 0.0),
        (2, [6.0, 8.0], 1.0),
        (3, [0.6, 0.8], 1.0),
        (4, [9.0, 9.0], NAN),
    )
    sums = clipped_sums(line(2), users, torch.ones(4, dtype=torch.bool), clip=1.0)
    assert torch.allclose(sums["0.weight"], torch.tensor([[-0.6 - 0.3, -0.8 - 0.4]]))
    only = clipped_sums(line(2), users, torch.tensor([False, False, True, False]), clip=0.1)
    assert torch.allclose(only["0.weight"], torch.tensor([[-0.06, -0.08]]))


def test_nobody_drawn_is_a_step_of_noise_alone() -> None:
    users = users_of((1, [3.0, 4.0], 1.0))
    sums = clipped_sums(line(2), users, torch.zeros(1, dtype=torch.bool), clip=1.0)
    assert torch.equal(sums["0.weight"], torch.zeros(1, 2))


def test_a_smaller_epsilon_takes_more_noise_and_is_kept_to() -> None:
    noises = [noise_for(epsilon, 1e-5, 0.1, 50) for epsilon in (8.0, 2.0)]
    assert 0 < noises[0] < noises[1]
    for epsilon, noise in zip((8.0, 2.0), noises, strict=True):
        assert 0.9 * epsilon < spent_epsilon(noise, 1e-5, 0.1, 50) <= epsilon
    assert noise_for(math.inf, 1e-5, 0.1, 50) == 0
    assert spent_epsilon(0.0, 1e-5, 0.1, 50) == math.inf


def test_an_epsilon_beyond_accounting_is_refused() -> None:
    with pytest.raises(ModelError, match=r"expected an epsilon .* found 0\.01; take a larger one"):
        noise_for(0.01, 1e-5, 0.1, 50)


def test_the_accountant_agrees_with_the_gaussian_mechanism() -> None:
    # One step over all users is the Gaussian mechanism: RDP at order a is a / (2 noise^2), so
    # epsilon is at most min over a of a / (2 noise^2) + log(1 / delta) / (a - 1).
    noise, delta = 4.0, 1e-5
    orders = np.linspace(1.1, 63, 5000)
    bound = (orders / (2 * noise**2) + np.log(1 / delta) / (orders - 1)).min()
    found = spent_epsilon(noise, delta, 1.0, 1)
    assert 0.8 * bound < found <= bound + 0.01


@pytest.mark.parametrize(("epsilon", "learns"), [(math.inf, True), (0.3, False)])
def test_noise_decides_what_is_learnt(epsilon: float, learns: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(400, 4, generator=generator)
    labels = (inputs[:, :1] > 0).float().repeat(1, len(HEADS))
    users = Users.of(np.arange(400), inputs, labels)
    heads = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Dropout(0.1), nn.Linear(8, len(HEADS)))
    preset = replace(PRESETS["tiny"], epsilon=epsilon, dp_users=100, dp_steps=60, seed=3)
    privacy = fit_private_heads(heads, users, replace(preset, learning_rate=0.03))
    right = ((heads(inputs) > 0).float() == labels).float().mean().item()
    assert right > 0.95 if learns else right < 0.9
    assert privacy.users == 400
    assert privacy.sample_rate == 0.25
    assert privacy.epsilon == epsilon if learns else 0.2 < privacy.epsilon <= 0.3
