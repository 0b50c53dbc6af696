"""Which arm of an experiment a user is in: a salted hash, the same wherever it is computed.

    assign(users, salt="spring", shares=(0.5, 0.5))

SHA-256 of `<salt>:<user id>`, its first 52 bits as a number in [0, 1). Experiments of different salts are independent
of one another. A share that grows keeps the users that it has.
"""

from collections.abc import Iterable
from hashlib import sha256

import numpy as np

from pipeline.runtime.errors import ExperimentError

BITS = 52


def position(user: str, salt: str) -> float:
    """Where a user stands in [0, 1)."""
    digest = sha256(f"{salt}:{user}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> (64 - BITS)) / 2.0**BITS


def assign(users: Iterable[str], salt: str, shares: tuple[float, ...]) -> np.ndarray:
    """Number of each user's arm; -1 for users beyond the shares, who are not in it.

    Raises ExperimentError for shares that are none.
    """
    edges = np.cumsum(shares)
    if not shares or min(shares) < 0 or edges[-1] > 1 + 1e-9 or not salt:
        raise ExperimentError(f"assignment: expected a salt and shares up to 1 together, found {salt!r}, {shares}")
    at = np.fromiter((position(user, salt) for user in users), float)
    arm = np.searchsorted(edges, at, side="right")
    return np.where(arm < len(shares), arm, -1)
