"""When a user comes: usual gap, whether an absence would be noticed, and the stage of life.

Days on which a user is active come at the user's own rate, which is only known as precisely as its gaps show it: a
gamma distribution that starts at PRIOR_GAPS gaps of the usual length of all users. How long a silence or how thin a
time may be is read from the predictive distributions that follow: Lomax for the next gap, negative binomial for the
number of active days of a window (Fader & Hardie 2005 use the same mixture for whether a customer is still alive).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import betainc

from pipeline.tables.registry import IMPRESSION
from spark_jobs.behaviour.unpacked import Unpacked

PRIOR_GAPS = 2.0
FEWEST_GAPS = 4  # of a regular
SHORTEST_SPAN = 28  # days between the first and the last active day of a regular
UNUSUAL = 0.05  # a silence that long comes once in twenty gaps
MISSED_WITHIN = 90  # days: sooner than that the silence of a regular is unusual
GAPS_BACK, DAYS_BACK = 3, 14  # the recent past: this many usual gaps or days, and any silence
WARNED = 0.9  # `fading` of the stage of that name
NEW_DAYS = 28
LAPSED_DAYS, LAPSED_CHANCE = 56, 0.2  # silent that long, and so unlikely to be within rhythm


@dataclass(frozen=True)
class Rhythm:
    """[users] each."""

    usual_gap: np.ndarray  # days; NaN with one active day
    is_regular: np.ndarray
    fading: np.ndarray  # 0 to 1
    segment: np.ndarray  # names

    @staticmethod
    def usual(days: np.ndarray) -> float:
        """The prior's gap: mean of `days`, gaps of many users; 28 when there are none."""
        return float(days.mean()) if len(days) else float(NEW_DAYS)


def active_days(chunk: Unpacked) -> tuple[np.ndarray, np.ndarray]:
    """`row` and `ago` of every active day, by user, the newest first."""
    acted = chunk.days.filter(pl.col("kind") != IMPRESSION)
    found = acted.select("row", "ago").unique().sort("row", "ago")
    return found["row"].to_numpy().astype(np.int64), found["ago"].to_numpy().astype(np.float64)


def gaps(row: np.ndarray, ago: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`row` and days of every gap between two active days that follow each other."""
    same = row[1:] == row[:-1]
    return row[1:][same], np.diff(ago)[same]


def rhythm(chunk: Unpacked, usual_gap: float) -> Rhythm:
    """The rhythm of each user; `usual_gap` is that of all users (see Rhythm.usual).

    Users who were only shown things have none; their stage of life goes by what was shown.
    """
    row, ago = active_days(chunk)
    visits = np.bincount(row, minlength=chunk.size).astype(np.float64)
    silence, first = np.full((2, chunk.size), np.nan)
    silence[row[::-1]], first[row] = ago[::-1], ago
    if (only_shown := visits == 0).any():
        known = chunk.days.group_by("row").agg(newest=pl.col("ago").min(), oldest=pl.col("ago").max())
        silence = np.where(only_shown, chunk.column(known, "newest"), silence)
        first = np.where(only_shown, chunk.column(known, "oldest"), first)
    number = np.maximum(visits - 1, 0)
    span = np.where(only_shown, 0.0, first - silence)
    shape, scale = number + PRIOR_GAPS, span + PRIOR_GAPS * usual_gap
    unusual_silence = scale * (UNUSUAL ** (-1 / shape) - 1)
    is_regular = (number >= FEWEST_GAPS) & (span >= SHORTEST_SPAN) & (unusual_silence <= MISSED_WITHIN)
    back = np.maximum(np.maximum(GAPS_BACK * scale / shape, DAYS_BACK), silence)
    recent = np.bincount(row, ago < back[row], chunk.size)
    thin = _more_than(recent, back, visits - recent, np.maximum(first + 1 - back, 1), usual_gap)
    fading = np.where(is_regular, thin, 0.0)
    within = (scale / (scale + silence)) ** shape  # chance of a gap longer than the silence
    row_of_gap, days = gaps(row, ago)
    return Rhythm(
        _medians(row_of_gap, days, chunk.size),
        is_regular,
        fading,
        _stages(first, silence, within, is_regular, fading),
    )


def _more_than(
    seen: np.ndarray, days: np.ndarray, past: np.ndarray, past_days: np.ndarray, usual_gap: float
) -> np.ndarray:
    """Chance that `days` have more than `seen` active days, predicted from `past` of them in `past_days`.

    The tail of the negative binomial is a regularised incomplete beta function.
    """
    shape, scale = past + PRIOR_GAPS, past_days + PRIOR_GAPS * usual_gap
    return betainc(seen + 1, shape, days / (scale + days))


def _stages(
    first: np.ndarray,
    silence: np.ndarray,
    within: np.ndarray,
    is_regular: np.ndarray,
    fading: np.ndarray,
) -> np.ndarray:
    """The first that holds: new, lapsed, fading, regular, active."""
    lapsed = (silence > LAPSED_DAYS) & (within < LAPSED_CHANCE)
    kinds = [first < NEW_DAYS, lapsed, is_regular & (fading >= WARNED), is_regular]
    return np.select(kinds, ["new", "lapsed", "fading", "regular"], "active")


def _medians(row: np.ndarray, days: np.ndarray, size: int) -> np.ndarray:
    """[size] median gap; NaN where there is none."""
    found = pl.DataFrame({"row": row, "days": days}).group_by("row").agg(pl.col("days").median())
    values = np.full(size, np.nan)
    values[found["row"].to_numpy()] = found["days"].to_numpy()
    return values
