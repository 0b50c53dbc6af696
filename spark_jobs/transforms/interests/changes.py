"""The last change of interest of each user, as arrays."""

from dataclasses import dataclass

import numpy as np

NEVER = -1


@dataclass
class Changes:
    """The last change of each user: days since 1970-01-01 (NEVER: none), topics, p-values.

    `p_value` is that of the last change when it was found, `p_now` that of today's evidence of
    another one.
    """

    since: np.ndarray
    found: np.ndarray
    source: np.ndarray
    target: np.ndarray
    p_value: np.ndarray
    p_now: np.ndarray

    @classmethod
    def none(cls, users: int) -> "Changes":
        since, found, source, target = (np.full(users, NEVER) for _ in range(4))
        return cls(since, found, source, target, np.ones(users), np.ones(users))
