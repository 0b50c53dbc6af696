"""Short- and long-term interests as shares of topics, and how far apart they are.

Every active day counts for half as much each half-life. Short: two weeks, about one shopping project. Long: half a
year, so that a season is not forgotten within the year that histories cover. Few days say little: long-term shares are
pulled towards what all users like (the more alike the users are, the more strongly; see `fit_population`), short-term
ones towards the user's own long-term shares. So a user without days has no interests, a new one has those of the new
days in both, and does not drift.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from spark_jobs.interests.population import Population
from spark_jobs.interests.touches import Touches

SHORT_HALF_LIFE, LONG_HALF_LIFE = 14.0, 180.0  # days
OWN_DAYS = 2.0  # days of long-term evidence that short-term shares are mixed with

LISTED = 20  # topics of a list at most; the listed shares sum to 1


@dataclass(frozen=True)
class Interests:
    """Shares are (users, topics), everything else is one element per user; `told`: whether the user has any
    evidence."""

    told: np.ndarray
    long: np.ndarray
    short: np.ndarray
    events_long: np.ndarray
    events_short: np.ndarray
    entropy: np.ndarray
    score: np.ndarray


def find_interests(touches: Touches, population: Population, today: int) -> Interests:
    """Interests on day `today` (days since 1970-01-01)."""
    age = np.maximum(today - touches.day, 0)
    fades = [0.5 ** (age / half) for half in (LONG_HALF_LIFE, SHORT_HALF_LIFE)]
    sums = [touches.sums(fade * touches.part, len(population.share)) for fade in fades]
    days = [each.sum(axis=1, keepdims=True) for each in sums]
    told = days[0][:, 0] > 0
    pull = population.concentration
    long = (sums[0] + pull * population.share) / (days[0] + pull)
    short = (sums[1] + OWN_DAYS * long) / (days[1] + OWN_DAYS)
    logs = np.log2(long, out=np.zeros_like(long), where=long > 0)
    events_long, events_short = (np.bincount(touches.user, fade * touches.events, touches.users) for fade in fades)
    trust = (days[1] / (days[1] + OWN_DAYS))[:, 0]
    apart = _beyond_noise(touches, fades, sums, days, long)
    return Interests(
        told,
        long,
        short,
        events_long,
        events_short,
        np.where(told, -(long * logs).sum(axis=1), 0),
        trust * apart,
    )


def _beyond_noise(
    touches: Touches,
    fades: list[np.ndarray],
    sums: list[np.ndarray],
    days: list[np.ndarray],
    likely: np.ndarray,
) -> np.ndarray:
    """Total variation between short- and long-term shares, less what chance alone gives.

    Their difference is a sum over active days, weighted by w = short - long weight. Were the days x draws from the same
    shares q, its variance in topic k would be the mean of w^2 (x_k - q_k)^2: chance alone gives half the sum of its
    mean absolute value. What exceeds that is scaled to 1 at most.
    """
    safe = [np.maximum(each, 1e-12) for each in days]
    distance = np.abs(sums[1] / safe[1] - sums[0] / safe[0]).sum(axis=1) / 2
    weight = fades[1] / safe[1][touches.user, 0] - fades[0] / safe[0][touches.user, 0]
    square, mass = weight**2, touches.day_mass()
    part, topics = touches.part, likely.shape[1]
    variance = touches.sums(square * part**2, topics)
    variance -= 2 * likely * touches.sums(square * part * mass, topics)
    whole = np.bincount(touches.user, square * part * mass, touches.users)[:, None]
    variance += likely**2 * whole
    noise = np.sqrt(2 / np.pi * np.maximum(variance, 0)).sum(axis=1) / 2
    return np.clip((distance - noise) / np.maximum(1 - noise, 1e-6), 0, 1)


def share_lists(shares: np.ndarray, told: np.ndarray, topics: list[str]) -> pl.Series:
    """The LISTED largest shares of each row of (users, topics); empty where nothing is `told`.

    Equal shares come in order of topic.
    """
    count = min(LISTED, len(topics))
    if not count:
        shares, topics, count = np.zeros((len(shares), 1)), [""], 1
        told = np.zeros_like(told)
    order = np.argsort(-shares, axis=1, kind="stable")[:, :count]
    best = np.take_along_axis(shares, order, axis=1)
    best = best / np.maximum(best.sum(axis=1, keepdims=True), 1e-12)
    structs = pl.DataFrame(
        {
            "topic_id": pl.Series(topics, dtype=pl.String).gather(order[told].ravel()),
            "share": best[told].ravel().astype(np.float32),
        }
    )
    return split_lists(structs.to_struct(), np.where(told, count, 0))


def split_lists(values: pl.Series, length: np.ndarray) -> pl.Series:
    """Consecutive `values` cut into lists of these lengths."""
    arrow = values.to_arrow(compat_level=pl.CompatLevel.oldest())
    ends = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    return pl.Series(pa.LargeListArray.from_arrays(ends, arrow))
