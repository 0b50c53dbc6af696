"""The truth: who likes which arm, how it changes, where ads are looked at, when clicks arrive.

ARMS arms, KINDS kinds of people with known features, ROUNDS days. Per day and arm:
- the appeal of an arm to a kind of people is a random line in its features (interests), and
  drifts as a random walk;
- half-way, half of the kinds change their taste at once (arms change places);
- one arm wears out, another one comes into fashion late;
- the ad stands at one of three places, looked at by 100%, 60% and 30% of people; how often it
  stands where changes with the season;
- a click is reported some days later, at most WAIT: policies learn from days that are complete.
"""

from dataclasses import dataclass

import numpy as np

ARMS, KINDS, ROUNDS, IMPRESSIONS, WAIT = 8, 4, 100, 50, 3
FEATURES = 3
EXAMINED = np.array([1.0, 0.6, 0.3])
BASE_LOG_ODDS, TASTE, DRIFT = -2.5, 0.8, 0.06
SEASON_DAYS = 25


@dataclass(frozen=True)
class World:
    """`rates`: rounds x kinds x arms, clicks per impression that is looked at.

    `features`: kinds x FEATURES. `places`: rounds x places, shares of impressions.
    """

    rates: np.ndarray
    features: np.ndarray
    places: np.ndarray

    def clicks(self, rng: np.random.Generator, day: int, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Clicks and looks (known shares of `shown`) of kinds x arms on a day."""
        at_place = rng.multinomial(shown.astype(int), self.places[day])
        clicked = rng.binomial(at_place, self.rates[day][..., None] * EXAMINED)
        return clicked.sum(axis=-1).astype(float), at_place @ EXAMINED

    def looks(self, day: int) -> float:
        """Share of the day's impressions that are looked at."""
        return float(self.places[day] @ EXAMINED)


def make_world(seed: int) -> World:
    """The world of a seed."""
    rng = np.random.default_rng((seed, 1))
    features = rng.normal(0, 1, (KINDS, FEATURES))
    taste = rng.normal(0, TASTE, (ARMS, FEATURES))
    steps = rng.normal(0, DRIFT, (ROUNDS, ARMS, FEATURES)).cumsum(axis=0)
    odds = np.einsum("gf,taf->tga", features, taste + steps)
    moved = rng.permutation(KINDS)[: KINDS // 2]
    odds[ROUNDS // 2 :, moved] = np.roll(odds[ROUNDS // 2 :, moved], ARMS // 2, axis=2)
    day = np.arange(ROUNDS)
    odds[:, :, 0] += np.where(day < ROUNDS // 3, 1.0, 1.0 - (day - ROUNDS // 3) / 20)[:, None].clip(-1.5)
    odds[:, :, 1] += np.where(day < 2 * ROUNDS // 3, -0.5, 1.5)[:, None]
    rates = 1 / (1 + np.exp(-(BASE_LOG_ODDS + odds)))
    return World(rates, features, _places(day))


def _places(day: np.ndarray) -> np.ndarray:
    """Shares of the places, rounds x places: good and bad seasons."""
    top = 0.5 + 0.4 * np.sin(2 * np.pi * day / SEASON_DAYS)
    return np.stack([top, (1 - top) / 2, (1 - top) / 2], axis=1)
