"""How far a distribution moved since another night: the population stability index (PSI).

PSI = sum over bins of (now - then) x ln(now / then), of shares. Bins are the deciles of the earlier
night. Half a user is added to every bin (Jeffreys' prior), so that an empty bin has a result too.
By custom: below 0.1 steady, up to 0.25 worth watching, above it shifted.
Source: Siddiqi, Credit Risk Scorecards (2006), chapter 8.
"""

import math
from collections.abc import Sequence

WATCH, SHIFTED = 0.1, 0.25
HALF_A_USER = 0.5
DECILES = tuple(n / 10 for n in range(11))


def psi(then: Sequence[int], now: Sequence[int]) -> float | None:
    """The index of two counts over the same bins; None when one of the nights has no user."""
    if not sum(then) or not sum(now):
        return None
    pairs = zip(_shares(then), _shares(now), strict=True)
    return sum((b - a) * math.log(b / a) for a, b in pairs)


def by_chance(then: Sequence[int], now: Sequence[int]) -> float | None:
    """What PSI comes to, on average, between two random draws of that many other users.

    Bins that neither night can fill tell nothing and are left out.
    """
    if not sum(then) or not sum(now):
        return None
    filled = sum(1 for a, b in zip(then, now, strict=True) if a or b)
    return (filled - 1) * (1 / sum(then) + 1 / sum(now))


def verdict(index: float | None) -> str:
    """`steady`, `watch` or `shifted`; `unknown` without an index."""
    if index is None:
        return "unknown"
    return "steady" if index < WATCH else "watch" if index <= SHIFTED else "shifted"


def bin_conditions(column: str, edges: Sequence[float]) -> list[str]:
    """SQL conditions of the bins that the edges cut: below them all, between two, above them all.

    The last inner bin includes its upper edge, so a constant (one edge) has a bin of its own.
    """
    lower = [f"{column} >= {edge!r}" for edge in edges[:-1]] or [f"{column} >= {edges[0]!r}"]
    upper = [f"{column} < {edge!r}" for edge in edges[1:-1]] + [f"{column} <= {edges[-1]!r}"]
    inner = [f"{low} AND {high}" for low, high in zip(lower, upper, strict=True)]
    return [f"{column} < {edges[0]!r}", *inner, f"{column} > {edges[-1]!r}"]


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) + HALF_A_USER * len(counts)
    return [(count + HALF_A_USER) / total for count in counts]
