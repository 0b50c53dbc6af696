"""Which version serves after an hour: the rules, on losses of the same users.

A candidate was trained before the hour, so the hour's events are new to every version that is judged. Gains are nats
per user; an interval is 95%, bootstrapped over users.

    wait      fewer than LEAST_USERS users, or no candidate: nothing changes
    rollback  what serves is certainly worse than the champion, in this hour or over the last RECENT
              judged hours together: the champion serves, the candidate that came of it is dropped
    serve     the candidate gains on what serves, loses at most MARGIN at the lower bound, and on
              older rows at most FORGETS: it serves from now on
    keep      else
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluation.intervals import UNKNOWN, Interval, interval

LEAST_USERS, RECENT = 50, 6
MARGIN, FORGETS = 0.02, 0.05  # nats
SIGMAS = 1.96
HOPELESS = 1e3  # nats: stands for a loss that is not finite


@dataclass(frozen=True)
class Decision:
    """What serves from now on: "champion", "serving" or "candidate"."""

    decision: str
    serves: str
    reason: str


def gain(new: np.ndarray, old: np.ndarray) -> Interval:
    """How much lower the losses [users] of `new` are; NaN for users with nothing to predict."""
    asked = ~np.isnan(old)
    lost = np.nan_to_num(new[asked], nan=HOPELESS, posinf=HOPELESS)
    return interval(np.minimum(old[asked], HOPELESS) - lost)


def pooled(gains: Sequence[tuple[int, Interval]]) -> Interval:
    """The gain over several hours, from each hour's users and interval; every user of an hour counts once.

    Hours are treated as independent.
    """
    if not gains:
        return UNKNOWN
    users = np.array([number for number, _ in gains], dtype=float)
    middle, low, high = np.array([each for _, each in gains]).T
    share = users / users.sum()
    error = float(np.sqrt((share**2 * ((high - low) / (2 * SIGMAS)) ** 2).sum()))
    mean = float(share @ middle)
    return mean, mean - SIGMAS * error, mean + SIGMAS * error


def which_serves(
    users: int, serving: Sequence[tuple[int, Interval]], candidate: Interval | None, older: Interval
) -> Decision:
    """`serving`: users and gains over the champion of the serving version, this hour first and then earlier hours;
    empty if the champion serves. `candidate`: its gain over the serving version, `older` the same on older rows; NaN
    where there are none.
    """
    if users < LEAST_USERS:
        return Decision("wait", "serving", f"{users} users, fewer than {LEAST_USERS}")
    recent = serving[:RECENT]
    for what, found in (
        ("in this hour", pooled(recent[:1])),
        (f"over {len(recent)} hours", pooled(recent)),
    ):
        if found[2] < 0:
            told = f"worse than the champion {what}: {_told(found)}"
            return Decision("rollback", "champion", told)
    if candidate is None:
        return Decision("wait", "serving", "no candidate was trained before this hour")
    told = f"gain {_told(candidate)}, on older rows {_told(older)}"
    if candidate[0] < 0 or candidate[1] < -MARGIN:
        return Decision("keep", "serving", f"the candidate may be worse: {told}")
    if older[1] < -FORGETS:
        return Decision("keep", "serving", f"the candidate forgets: {told}")
    return Decision("serve", "candidate", told)


def _told(found: Interval) -> str:
    middle, low, high = found
    return f"{middle:+.4f} [{low:+.4f}, {high:+.4f}] nats"
