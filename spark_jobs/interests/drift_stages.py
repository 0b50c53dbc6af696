"""How far each user's last change is: a word for `drift_stage`."""

import numpy as np

from spark_jobs.interests.touches import Touches
from spark_jobs.interests.watch import NEVER, Changes

STABLE, SHIFTING, SHIFTED, REVIVING, FADING = ("stable", "shifting", "shifted", "reviving", "fading")
REMEMBERED = 90  # days after it was found that a change is reported; after that it is the new normal
NEW = 28  # days after it was found that a change counts as under way
AWAY = 28  # days without much of an interest before it can revive
SPANS = 14  # of AWAY days each: the year that histories cover
# What it was in a span before, at least (share, and days); how much of that was left, at most.
REVIVED_SHARE, REVIVED_DAYS, AWAY_SHARE = 0.2, 2.0, 1 / 3


def find_stages(changes: Changes, touches: Touches, today: int) -> np.ndarray:
    """The stage of each user on day `today`.

    *fading*: the new topic is not touched more often than before, the old one less: interest goes
    away and nothing comes instead. *reviving*: the new topic was an interest in some AWAY days
    before, and hardly one in those just before the change. Else *shifting*, then *shifted*.
    """
    age = today - changes.found
    told = (changes.found != NEVER) & (age < REMEMBERED)
    stages = np.where(age < NEW, SHIFTING, SHIFTED)
    stages = np.where(_revives(changes, touches), REVIVING, stages)
    stages = np.where(_fades(changes, touches, today), FADING, stages)
    return np.where(told, stages, STABLE)


def _fades(changes: Changes, touches: Touches, today: int) -> np.ndarray:
    """Whether the new topic is touched as seldom, per day of the calendar, as before."""
    since = changes.since[touches.user]
    to = touches.topic == changes.target[touches.user]
    begin = np.full(touches.users, today)
    np.minimum.at(begin, touches.user, touches.day)
    before, after = (
        np.bincount(touches.user[rows], touches.part[rows], touches.users)
        for rows in (to & (touches.day < since), to & (touches.day >= since))
    )
    days_before = np.maximum(changes.since - begin, 1)
    days_after = np.maximum(today - changes.since + 1, 1)
    return after / days_after <= before / days_before


def _revives(changes: Changes, touches: Touches) -> np.ndarray:
    back = (changes.since[touches.user] - 1 - touches.day) // AWAY
    to = touches.topic == changes.target[touches.user]
    before, cell = back >= 0, touches.user * SPANS + np.clip(back, 0, SPANS - 1)
    whole, part = (
        np.bincount(cell[rows], touches.part[rows], touches.users * SPANS).reshape(-1, SPANS)
        for rows in (before, before & to)
    )
    share = part / np.maximum(whole, 1e-12)
    was = np.where(part >= REVIVED_DAYS, share, 0)[:, 1:].max(axis=1)
    return (was >= REVIVED_SHARE) & (share[:, 0] <= AWAY_SHARE * was)
