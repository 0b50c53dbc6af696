"""Decisions on floats that every machine takes alike.

The last digits of a matrix product, a logarithm or a sum depend on the processor, on the number of
threads and on the order of the rows. So no order, no best and no threshold may hang on them: values
that are `near` to one another are equal, and equal values go by position, which is that of their
ids.

Nearness is asked of the values themselves, not of values rounded to a grid: two equal scores that
differ by noise fall to different sides of a grid's edge once in (grid / noise) times, which among
thousands of candidates is every night; the distance between them never comes to `near`. What
remains is a pair whose distance is `near` itself, but for noise: every rule has such an edge.
"""

import numpy as np

# Shares of the largest value. Of float32's 24 bits, item-item weights, their products and cosines
# keep 21 between kernels, and sums in float64 50 of 53: the other bits are room.
SINGLE, DOUBLE = 2.0**-16, 2.0**-36
LOG_ODDS = 2.0**-12  # of a blend, whose inputs are logs of such scores: kernels differ by 2^-14


def leaders(values: np.ndarray, near: float | np.ndarray, group: np.ndarray | None = None) -> np.ndarray:
    """[n] place of the value that each is equal to: the largest that a chain of `near` leads to.

    A chain stays within its `group`.
    """
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    of = np.zeros(len(values), dtype=np.int64) if group is None else group
    order = np.lexsort((-values, of))
    high, low = values[order][:-1], values[order][1:]
    with np.errstate(invalid="ignore"):
        apart = high - low > near  # false for two of -inf
    first = np.append(True, apart | (of[order][1:] != of[order][:-1]))
    found = np.empty(len(values), dtype=np.int64)
    found[order] = order[np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))]
    return found


def settled(values: np.ndarray, near: float | np.ndarray, group: np.ndarray | None = None) -> np.ndarray:
    """[n] the values with those that are equal made equal, to the largest of them."""
    return values[leaders(values, near, group)]


def best(values: np.ndarray, near: float) -> int:
    """Place of the largest value in the flattened array; of equal ones the first."""
    return int(best_of_rows(np.reshape(values, (1, -1)), near)[0])


def best_of_rows(values: np.ndarray, near: float) -> np.ndarray:
    """[rows] column of the largest value of each row; of equal ones the first."""
    return np.asarray((values >= values.max(axis=1, keepdims=True) - near).argmax(axis=1))


def among_best(scores: np.ndarray, size: int, tolerance: float) -> np.ndarray:
    """[rows, columns] whether it is among the `size` largest of its row and above -inf.

    Those equal to the last of them enter by position. Near is `tolerance` times the largest finite
    size of the row, as the noise of a product is.
    """
    some = np.isfinite(scores)
    if size >= scores.shape[1]:
        return some
    last = np.partition(scores, -size, axis=1)[:, -size, None]
    high, low = (f(scores, axis=1, keepdims=True, where=some, initial=0) for f in (np.max, np.min))
    near = tolerance * np.maximum(high, -low)
    above = some & (scores > last + near)
    level = some & ~above & (scores >= last - near)
    free = size - above.sum(axis=1, keepdims=True)
    return np.asarray(above | (level & (np.cumsum(level, axis=1, dtype=np.int32) <= free)))
