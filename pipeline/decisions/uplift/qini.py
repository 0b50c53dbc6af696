"""What a ranking of users by uplift is worth: the Qini curve, its area, and their bootstrap.

gain(u) = u x (mean outcome of the treated - of the control) among the share u of users ranked best: the outcome gained
per user of all when just these are treated (Radcliffe 2007, in the form of Gutierrez and Gérardy 2017). AUUC is the
area below the curve; the Qini coefficient is the area between the curve and the straight line that a random ranking
draws. All in units of the outcome.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.decisions.ope.blocks import BLOCKS, draw_blocks, percentiles
from pipeline.decisions.uplift.trial import Trial
from pipeline.runtime.near_ties import DOUBLE, settled

POINTS = 100
DRAWS = 1_000
LEVEL = 0.95


@dataclass(frozen=True)
class Qini:
    """`shares` and `gains`: the curve from (0, 0); `band`: 95% of the drawn curves."""

    shares: np.ndarray
    gains: np.ndarray
    band: tuple[np.ndarray, np.ndarray]
    coefficient: float
    interval: tuple[float, float]
    auuc: float
    auuc_interval: tuple[float, float]


def ranked(uplift: np.ndarray, fold: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Share of the user's fold that stands before the user, in (0, 1); ties by the hash.

    Within folds, since models of two folds may differ in level.
    """
    found = np.zeros(len(uplift))
    for number in np.unique(fold):
        mine = np.flatnonzero(fold == number)
        known = settled(uplift[mine], DOUBLE * np.abs(uplift[mine]).max())
        order = mine[np.lexsort((place[mine], -known))]
        found[order] = (np.arange(len(mine)) + 0.5) / len(mine)
    return found


def qini(trial: Trial, rank: np.ndarray, points: int = POINTS, seed: int = 0) -> Qini:
    """The curve at up to `points` shares of users, and its interval from resampling the users."""
    points = min(points, len(trial))
    sums = _sums(trial, rank, points)
    shares, gains = _curve(sums.sum(axis=0))
    draws = draw_blocks(len(sums), DRAWS, seed) @ sums.reshape(len(sums), -1)
    drawn_shares, drawn = _curve(draws.reshape(DRAWS, points, 4))
    coefficients, areas = _areas(drawn_shares, drawn)
    coefficient, auuc = _areas(shares, gains)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return Qini(
        shares,
        gains,
        (low, high),
        float(coefficient),
        percentiles(coefficients, LEVEL),
        float(auuc),
        percentiles(areas, LEVEL),
    )


def _sums(trial: Trial, rank: np.ndarray, points: int) -> np.ndarray:
    """blocks x points x 4: weight and weighted outcome of treated, then of control."""
    blocks = min(BLOCKS, len(trial))
    cell = (np.arange(len(trial)) % blocks) * points + (rank * points).astype(int)
    weight, treated = trial.weight, trial.treated
    columns = [weight * treated, weight * treated * trial.outcome, weight * ~treated, weight * ~treated * trial.outcome]
    sums = [np.bincount(cell, column, blocks * points) for column in columns]
    return np.stack(sums, axis=1).reshape(blocks, points, 4)


def _curve(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares and gains of (draws x) points x 4, with the origin in front."""
    whole = np.cumsum(sums, axis=-2)
    treated, earned, control, earned_without = np.moveaxis(whole, -1, 0)
    both = treated + control
    share = both / both[..., -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        gain = share * (earned / treated - earned_without / control)
    gain = np.where((treated > 0) & (control > 0), gain, 0.0)  # nothing to compare yet
    origin = np.zeros((*gain.shape[:-1], 1))
    return np.concatenate([origin, share], -1), np.concatenate([origin, gain], -1)


def _areas(shares: np.ndarray, gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Qini coefficient and AUUC, by trapezoids."""
    auuc = np.trapezoid(gains, shares, axis=-1)
    return auuc - gains[..., -1] / 2, auuc
