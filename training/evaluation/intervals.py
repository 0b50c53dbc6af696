"""95% intervals by bootstrap over users; differences of two models on the same users are paired.

From MANY users on the figures of draws are as good as normal, so a few draws give their spread, which more users do not
make dearer: of a mean it is known without any.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

SEED = 11
DRAWS = 1000
BOUNDS = (0.025, 0.975)
FEWEST = 40  # draws, which give a spread to within a ninth
MOST_DRAWN = 20_000_000  # users over all draws: the more users, the fewer draws
MANY = 50_000  # users
NORMAL = 1.959964  # standard errors on either side that hold 95%

Interval = tuple[float, float, float]  # figure, low, high
Metric = Callable[[np.ndarray, np.ndarray], float]  # labels, probabilities -> figure
UNKNOWN: Interval = (float("nan"), float("nan"), float("nan"))


def intervals(values: dict[str, np.ndarray], draws: int = DRAWS) -> dict[str, Interval]:
    """Means with intervals of many metrics of the same users, NaN where a user has no answer.

    All metrics use the same draws of users: a draw says how often each user was taken.
    """
    if not values:
        return {}
    stacked = np.stack(list(values.values()), axis=1).astype(np.float64)
    if not len(stacked):
        return dict.fromkeys(values, UNKNOWN)
    known = ~np.isnan(stacked)
    if len(stacked) > MANY:
        answers = {name: stacked[known[:, column], column] for column, name in enumerate(values)}
        # Of a question that few were asked, draws of those few.
        return {
            name: _of_mean(some) if len(some) > MANY else intervals({name: some}, draws)[name]
            for name, some in answers.items()
        }
    taken = _taken(len(stacked), draws)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = taken @ np.where(known, stacked, 0) / (taken @ known)
        middle = np.where(known, stacked, 0).sum(axis=0) / known.sum(axis=0)
    return {name: (float(middle[column]), *_bounds(means[:, column])) for column, name in enumerate(values)}


def interval(values: np.ndarray, draws: int = DRAWS) -> Interval:
    """Mean and interval of one metric; for a difference per user, this is the paired interval."""
    return intervals({"": values}, draws)[""]


def of_metric(metric: Metric, labels: np.ndarray, chances: np.ndarray, draws: int) -> Interval:
    """A metric that is not a mean over users. NaN where it is undefined."""
    return paired(lambda a, b: metric(a, b[:, 0]), labels, chances[:, None], draws)


def gain_of_metric(metric: Metric, labels: np.ndarray, new: np.ndarray, old: np.ndarray, draws: int) -> Interval:
    """metric(new) - metric(old) on the same draws of users."""
    both = np.stack([new, old], axis=1)
    return paired(lambda a, b: metric(a, b[:, 0]) - metric(a, b[:, 1]), labels, both, draws)


def paired(figure: Metric, labels: np.ndarray, columns: np.ndarray, draws: int) -> Interval:
    """A figure from labels [users] and columns [users, any]; each draw takes whole users."""
    if not len(labels):
        return UNKNOWN
    generator = np.random.default_rng(SEED)
    rows = (generator.integers(0, len(labels), len(labels)) for _ in _draws(len(labels), draws))
    found, middle = np.array([figure(labels[row], columns[row]) for row in rows]), figure(labels, columns)
    return _normal(middle, float(np.nanstd(found))) if len(labels) > MANY else (middle, *_bounds(found))


def _of_mean(values: np.ndarray) -> Interval:
    return _normal(float(values.mean()), float(values.std() / np.sqrt(len(values))))


def _normal(middle: float, error: float) -> Interval:
    return middle, middle - NORMAL * error, middle + NORMAL * error


def _draws(users: int, wanted: int) -> range:
    return range(min(wanted, max(FEWEST, MOST_DRAWN // max(users, 1))))


@lru_cache(maxsize=2)  # an evaluation asks for the same draws again and again; 80 MB at most each
def _taken(users: int, draws: int) -> np.ndarray:
    """[draws, users] how often each user occurs in a draw with replacement; about `draws` draws."""
    generator = np.random.default_rng(SEED)
    return np.stack(
        [
            np.bincount(generator.integers(0, users, users), minlength=users).astype(np.float32)
            for _ in _draws(users, draws)
        ]
    )


def _bounds(found: np.ndarray) -> tuple[float, float]:
    known = found[~np.isnan(found)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, BOUNDS)
    return float(low), float(high)
