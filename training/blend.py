"""The published ranking: transformer, own repeats and recent popularity, by fitted weights.

No single ranker wins everywhere: own repeats are hard to beat where people buy the same things
again, recent popularity for people of whom little is known. The transformer knows what was popular
while it was trained; what has become more or less popular since enters as a trend.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.metrics import ndcg
from training.ranking import NEVER, top

STEPS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)  # weights against the transformer's 1
TRENDS = (0.0, 0.5, 1.0, 1.5)  # power of the trend
K = 10

Trend = tuple[int, float]  # days of the recent window, power
Score = Callable[[np.ndarray], float]  # [users, items] scores -> quality


@dataclass(frozen=True)
class Blend:
    """Weights of probabilities, and what its parts are tuned to (days, and a power)."""

    model: float
    own: float
    recent: float
    half_life: float  # of own repeats
    days: int  # of recent popularity
    trend_days: int
    trend: float

    def mix(self, model: np.ndarray, own: np.ndarray, recent: np.ndarray) -> np.ndarray:
        """[users, items] scores; parts are probabilities over the items that a user may get."""
        total = self.model + self.own + self.recent
        return (self.model * model + self.own * own + self.recent * recent) / total


def judged(relevant: np.ndarray, allowed: np.ndarray) -> Score:
    """Mean NDCG@10 of scores against [users, items] relevant items."""
    number = relevant.sum(axis=1)

    def score(scores: np.ndarray) -> float:
        places, _ = top(np.where(allowed, scores, NEVER), K)
        hits = np.take_along_axis(relevant, np.maximum(places, 0), axis=1) & (places >= 0)
        return float(np.nanmean(ndcg(hits, number, K))) if (number > 0).any() else 0.0

    return score


def fit_blend(
    score: Score,
    model: Callable[[Trend], np.ndarray],
    own: dict[float, np.ndarray],
    recent: dict[int, np.ndarray],
) -> Blend:
    """The best weights on a validation window; each part is tuned alone first.

    `own` may be empty (a list of new items repeats nothing). Ties go to the simpler blend.
    """
    trends: list[Trend] = [(days, power) for power in TRENDS for days in recent]
    trend = max(trends, key=lambda tried: score(model(tried)))
    half_life = max(own, key=lambda h: score(own[h])) if own else 1.0
    days = max(recent, key=lambda d: score(recent[d]))
    chances = model(trend)
    repeats = own[half_life] if own else np.zeros_like(chances)
    own_steps = STEPS if own else (0.0,)
    tried = [Blend(1.0, o, r, half_life, days, *trend) for o in own_steps for r in STEPS]
    tried += [Blend(0.0, o, 1.0, half_life, days, *trend) for o in own_steps]
    return max(tried, key=lambda blend: score(blend.mix(chances, repeats, recent[days])))
