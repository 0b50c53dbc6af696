"""How much evidence of a change tonight's users need, so that chance alone seldom gives it.

The days of each user are shuffled: what is liked stays, every change is gone. Where that still gives more alarms than
ALARM per user and year, more evidence is asked for.
"""

from dataclasses import replace

import numpy as np

from pipeline.tables.interests import ALARM
from spark_jobs.interests.population import Population
from spark_jobs.interests.touches import Touches
from spark_jobs.interests.watch import NEVER, YEAR, find_changes

CAUTIONS = (1.0, 1.5, 2.0, 3.0, 5.0)  # coarse, so that it is the same on most nights
LEAST_YEARS = 50.0  # user-years below which alarms are too few to judge by
SEED = 7


def calibrate(touches: Touches, population: Population) -> Population:
    """`population` with the least caution that keeps false alarms rare."""
    years = user_years(touches)
    if years < LEAST_YEARS:
        return population
    shuffled = shuffle_days(touches, SEED)
    for caution in CAUTIONS:
        cautious = replace(population, caution=caution)
        if (find_changes(shuffled, cautious).found != NEVER).sum() <= ALARM * years:
            break
    return cautious


def user_years(touches: Touches) -> float:
    """Years from each user's first day to the last day of all."""
    first = np.full(touches.users, touches.day.max(initial=0) + 1)
    np.minimum.at(first, touches.user, touches.day)
    return float((touches.day.max(initial=0) + 1 - first).sum() / YEAR)


def shuffle_days(touches: Touches, seed: int) -> Touches:
    """The same days of the same users, with their dates shuffled."""
    new = (np.diff(touches.user, prepend=-1) != 0) | (np.diff(touches.day, prepend=-1) != 0)
    number = np.cumsum(new) - 1
    user, day = touches.user[new], touches.day[new]
    dealt = np.lexsort((np.random.default_rng(seed).random(len(user)), user))
    dates = np.empty_like(day)
    dates[dealt] = day
    moved = dates[number]
    order = np.lexsort((touches.topic, moved, touches.user))
    rows = (moved, touches.topic, touches.part, touches.events)
    return Touches(touches.users, touches.user[order], *(column[order] for column in rows))
