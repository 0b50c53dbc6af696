"""The listwise loss by hand, and that a fit finds what was planted."""

import numpy as np
import pytest
import torch

from training.ranking.blend import Effort, fit_blend, groups, linear_blend, listwise_loss

pytestmark = pytest.mark.kernel

EFFORT = Effort(hidden=8, epochs=6, weight_decay=0.05, kept=10, seeds=2)


def planted(users: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ten candidates each; the hit is drawn by the softmax of 2 x the first feature."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(users, 10, 4)).astype(np.float32)
    noise = generator.gumbel(size=(users, 10))
    best = (2 * x[:, :, 0] + noise).argmax(axis=1)
    hit = np.arange(10)[None, :] == best[:, None]
    return x.reshape(-1, 4), hit.ravel(), np.repeat(np.arange(users), 10)


def test_the_loss_is_the_mean_log_likelihood_of_the_hits() -> None:
    scores = torch.tensor([0.0, 1.0, 2.0, 0.0, 0.0])
    rows, hit = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0.0, 1.0, 1.0, 1.0, 0.0])
    first = np.log(1 + np.e + np.e**2) - 1.5
    found = listwise_loss(scores, rows, hit, 2, 0.0)
    assert np.isclose(found, (first + np.log(2)) / 2)
    weighted = listwise_loss(scores, rows, hit, 2, 0.5)
    assert np.isclose(weighted, (2**0.5 * first + np.log(2)) / (2**0.5 + 1))


def test_users_without_a_hit_are_left_out() -> None:
    x, group = np.ones((4, 2), dtype=np.float32), np.array([0, 0, 3, 3])
    rows = groups(x, np.array([False, False, True, False]), group)
    assert rows.count == 1 and rows.group.tolist() == [0, 0]


def test_the_planted_weight_is_found() -> None:
    rows = groups(*planted(2000))
    blend = linear_blend(rows, EFFORT)
    weights = (blend.linear / blend.scale).detach().numpy()[0]
    assert abs(weights[0] - 2) < 0.2
    assert np.abs(weights[1:]).max() < 0.1


def test_a_fit_depends_on_its_seed_alone_and_does_not_lose_to_its_start() -> None:
    rows, later = groups(*planted(400)), groups(*planted(400, seed=1))
    start = linear_blend(rows, EFFORT)
    blend, again = (fit_blend(rows, start, EFFORT, 3) for _ in range(2))
    with torch.inference_mode():
        assert torch.equal(blend(later.x), again(later.x))
        loss = [float(listwise_loss(b(later.x), later.group, later.hit, later.count, 0.0)) for b in (start, blend)]
    assert loss[1] < loss[0] + 0.05
