"""What the arms earned: sums per stratum and arm, with older rows counting less."""

from dataclasses import dataclass

import numpy as np

from pipeline.decisions.bandits.specification import Policy


@dataclass(frozen=True)
class ArmStatistics:
    """Strata x arms: how often shown, rewards, squared rewards.

    An impression at a place that a share `examined` of people look at counts as that share of an impression (the
    position-based model; Lagree, Vernade and Cappe 2016).
    """

    shown: np.ndarray
    reward: np.ndarray
    squares: np.ndarray

    @classmethod
    def none(cls, strata: int, arms: int) -> "ArmStatistics":
        """Nothing has been shown yet."""
        return cls(*(np.zeros((strata, arms)) for _ in range(3)))

    @property
    def mean(self) -> np.ndarray:
        """Reward per impression; 0 for an arm that was never shown."""
        return self.reward / np.where(self.shown > 0, self.shown, 1)


def memory_weights(policy: Policy, age_days: np.ndarray) -> np.ndarray:
    """How much each row counts, by its age."""
    weights = np.power(policy.discount, age_days)
    if policy.window_days:
        weights = np.where(age_days < policy.window_days, weights, 0.0)
    return weights


def gather(
    stratum: np.ndarray,
    action: np.ndarray,
    reward: np.ndarray,
    weights: np.ndarray,
    size: tuple[int, int],
    examined: np.ndarray | float = 1.0,
) -> ArmStatistics:
    """The sums of rows over (strata, arms)."""
    flat, cells = stratum.astype(np.int64) * size[1] + action, size[0] * size[1]
    columns = (weights * examined, weights * reward, weights * reward**2)
    return ArmStatistics(*(np.bincount(flat, it, cells).reshape(size) for it in columns))
