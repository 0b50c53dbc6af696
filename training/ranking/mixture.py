"""The transformer mixed with the blend: two weights for each group of users."""

from dataclasses import dataclass

import numpy as np
import torch

from training.ranking.blend import FAR, groups, listwise_loss

GROUPS = ("new", "light", "heavy")  # no day with an engagement, fewer than HEAVY, more
HEAVY = 10
LEAST = 12.0  # log-probabilities below -LEAST count as -LEAST
FARTHEST = -FAR / 2  # scores below it are outside the short list
PRIOR = 2.0  # strength of the pull to (1, 0), in users


@dataclass(frozen=True)
class Mixture:
    """score = weights[group, 0] x blend + weights[group, 1] x log-probability of the model."""

    weights: np.ndarray  # [GROUPS, 2] float32

    @classmethod
    def of_blend_alone(cls) -> "Mixture":
        """(1, 0) for every group."""
        return cls(np.tile(np.array([1.0, 0.0], dtype=np.float32), (len(GROUPS), 1)))

    def mix(self, blend: np.ndarray, model: np.ndarray, group: np.ndarray) -> np.ndarray:
        """[candidates] scores, from the scores of both and the group of each candidate's user.

        Candidates outside the blend's short list stay below it.
        """
        weight = self.weights[group]
        listed = blend > FARTHEST
        mixed = weight[:, 0] * np.where(listed, blend, 0) + weight[:, 1] * np.maximum(model, -LEAST)
        return np.where(listed, mixed, blend)


def user_groups(visits: np.ndarray) -> np.ndarray:
    """Index of GROUPS, by the number of days with an engagement."""
    return (visits > 0).astype(np.int64) + (visits >= HEAVY)


def fit_mixture(blend: np.ndarray, model: np.ndarray, hit: np.ndarray, row: np.ndarray, group: np.ndarray) -> Mixture:
    """Fits on candidates (by user) of a window that neither the blend nor the model was fitted on."""
    fitted = Mixture.of_blend_alone().weights
    both = np.stack([blend, np.maximum(model, -LEAST)], axis=1).astype(np.float32)
    for number in range(len(GROUPS)):
        chosen = (group == number) & (blend > FARTHEST)
        rows = groups(both[chosen], hit[chosen], row[chosen])
        if rows.count:
            fitted[number] = _fit(rows.x, rows.hit, rows.group, rows.count)
    return Mixture(fitted)


def _fit(x: torch.Tensor, hit: torch.Tensor, group: torch.Tensor, users: int) -> np.ndarray:
    start = torch.tensor([1.0, 0.0])
    weights = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([weights], max_iter=40, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        fit = listwise_loss(x @ weights, group, hit, users, 0.0)
        loss = fit + PRIOR / users * (weights - start).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights.detach().clamp(min=0).numpy()
