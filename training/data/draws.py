"""Random numbers that depend only on what they are drawn for.

A draw is a hash of its keys: the same row gets the same numbers on any process, in any batch and after a resume.
"""

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def uniform(*keys: np.ndarray | int) -> np.ndarray:
    """float64 in [0, 1) for each element of the broadcast integer `keys`."""
    with np.errstate(over="ignore"):
        state = np.zeros((), dtype=np.uint64)
        for key in keys:
            mixed = np.asarray(key).astype(np.uint64) + _GOLDEN
            state = _mix((state * _GOLDEN) ^ _mix(mixed))
    return np.asarray((state >> np.uint64(11)).astype(np.float64) / 2.0**53)


def _mix(state: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
