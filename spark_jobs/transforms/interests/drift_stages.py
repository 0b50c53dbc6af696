"""How far each user's last change is: a word for `drift_stage`."""

import numpy as np

from spark_jobs.transforms.interests.changes import NEVER, Changes
from spark_jobs.transforms.interests.touches import Touches

STABLE, SHIFTING, SHIFTED, REVIVING, FADING = (
    "stable", "shifting", "shifted", "reviving", "fading"
)  # fmt: skip
REMEMBERED = 90  # days after it was found that a change is told; then it is the new usual
NEW = 28  # days after it was found that a change counts as under way
AWAY = 28  # days without much of an interest before it can revive
REVIVED_SHARE, AWAY_SHARE = 0.2, 1 / 3  # what it was before, at least; what was left, at most


def find_stages(changes: Changes, touches: Touches, today: int) -> np.ndarray:
    """The stage of each user on day `today`.

    *fading*: the new topic is not touched more often than before, the old one less: interest goes
    away and nothing comes instead. *reviving*: the new topic was an interest more than AWAY days
    before the change, and hardly one in the days just before it. Else *shifting*, then *shifted*.
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
    since = changes.since[touches.user]
    recent = (touches.day < since) & (touches.day >= since - AWAY)
    early = touches.day < since - AWAY
    was, left = _share(changes, touches, early), _share(changes, touches, recent)
    return (was >= REVIVED_SHARE) & (left <= AWAY_SHARE * was)


def _share(changes: Changes, touches: Touches, rows: np.ndarray) -> np.ndarray:
    """Share of the target topic among the touches of `rows`; 0 where there are none."""
    to = rows & (touches.topic == changes.target[touches.user])
    whole = np.bincount(touches.user[rows], touches.part[rows], touches.users)
    part = np.bincount(touches.user[to], touches.part[to], touches.users)
    return part / np.maximum(whole, 1e-12)
