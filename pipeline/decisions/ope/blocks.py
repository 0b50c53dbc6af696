"""Sums by block of rows: all that estimates, their intervals and the bootstrap need of a log.

A log of any length becomes BLOCKS rows of sums, in one pass and in bounded memory. Rows of one cluster share a block,
so that intervals know that they are not independent. With fewer rows than blocks every row is its own block, and
figures are those of the textbook.
"""

from functools import lru_cache

import numpy as np

from pipeline.decisions.ope.log import Log

BLOCKS = 2_000
MIXING = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing: neighbours go to blocks far apart


def block_of(log: Log) -> np.ndarray:
    """The block of each row: by its cluster, else by its number."""
    if log.cluster is None:
        return (np.arange(log.first_row, log.first_row + len(log)) % BLOCKS).astype(np.int64)
    mixed = log.cluster.astype(np.uint64) * MIXING
    return ((mixed >> np.uint64(32)) % np.uint64(BLOCKS)).astype(np.int64)


def block_sums(block: np.ndarray, columns: list[np.ndarray]) -> np.ndarray:
    """BLOCKS x columns: the sum of each column over the rows of each block."""
    return np.stack([np.bincount(block, column, BLOCKS) for column in columns], axis=1)


def ratio(top: np.ndarray, bottom: np.ndarray) -> tuple[float, np.ndarray]:
    """sum(top) / sum(bottom), and what each block adds to its error.

    The standard error is `spread` of the latter: the delta method, with the blocks as the sample (Cochran 1977, 6.5).
    Contributions of two estimates on the same rows may be subtracted.
    """
    whole = bottom.sum()
    if whole == 0:
        return float("nan"), np.full(len(top), np.nan)
    estimate = float(top.sum() / whole)
    return estimate, (top - estimate * bottom) / whole


def spread(contributions: np.ndarray) -> float:
    """Standard error of an estimate whose blocks contribute these; one block says nothing."""
    blocks = len(contributions)
    if blocks < 2:
        return float("inf")
    return float(np.sqrt((contributions**2).sum() * blocks / (blocks - 1)))


@lru_cache(maxsize=2)
def draw_blocks(blocks: int, draws: int, seed: int) -> np.ndarray:
    """How often each block is drawn, draws x blocks: drawn with replacement (Efron 1979).

    Kept, because nothing in it depends on the log. As floats, whose products are ten times faster.
    """
    rng = np.random.default_rng(seed)
    times = rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=draws).astype(float)
    times.flags.writeable = False
    return times


def percentiles(values: np.ndarray, level: float) -> tuple[float, float]:
    """The interval that holds `level` of the drawn values; undefined draws are left out."""
    tail = (1 - level) / 2
    if np.isnan(values).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)
