"""Decisions on floats that every machine takes alike.

The last digits of a matrix product, a logarithm or a sum depend on the processor, on the number of
threads and on the order of the rows. So no order, no best and no threshold may hang on them: values
nearer to one another than a tolerance are equal, and equal values go by position, which is that of
their ids.

Nearness is asked of the values themselves, not of values rounded to a grid: two equal scores that
differ by noise fall to different sides of a grid's edge once in (grid / noise) times, which among
thousands of candidates is every night; the distance between them is never as large as the
tolerance. What remains is a pair whose distance is the tolerance itself, within noise: there is no
rule without such an edge.
"""

import numpy as np

# Float32 has 24 bits. A sum over thousands of items, a Cholesky factor or a few layers lose five or
# six of them (measured between kernels: docs/decisions.md); two more are room.
SINGLE = 2.0**-16
DOUBLE = 2.0**-36  # the same of float64: far above its noise, far below what anyone can mean


def settled(values: np.ndarray, tolerance: float, group: np.ndarray | None = None, scale: float = 0.0) -> np.ndarray:
    """[n] the same values, where those that are nearly equal have the highest of them.

    Neighbours in size, within their group, are nearly equal when they differ by no more than
    `tolerance` times the larger one's size, or times `scale` where that is more.
    """
    if not len(values):
        return values
    of = np.zeros(len(values), dtype=np.int64) if group is None else group
    order = np.lexsort((-values, of))
    high, low = values[order][:-1], values[order][1:]
    with np.errstate(invalid="ignore"):
        apart = high - low > tolerance * np.maximum(np.abs(high), scale)
    apart |= np.isfinite(high) != np.isfinite(low)
    first = np.append(True, apart | (of[order][1:] != of[order][:-1]))
    leader = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    found = np.empty_like(values)
    found[order] = values[order][leader]
    return found


def best(values: np.ndarray, tolerance: float, scale: float = 0.0) -> int:
    """Place of the largest value in the flattened array; of nearly equal ones the first."""
    flat = np.ravel(values)
    return int(best_of_rows(flat[None, :], tolerance, scale)[0])


def best_of_rows(values: np.ndarray, tolerance: float, scale: float = 0.0) -> np.ndarray:
    """[rows] column of the largest value of each row; of nearly equal ones the first."""
    most = values.max(axis=1, keepdims=True)
    near = tolerance * np.maximum(np.abs(most), scale)
    return np.asarray((values >= np.where(np.isfinite(most), most - near, most)).argmax(axis=1))


def among_best(scores: np.ndarray, size: int, tolerance: float) -> np.ndarray:
    """[rows, columns] whether it is among the `size` largest of its row and above -inf.

    Those nearly as large as the last of them enter by position; near is measured by the largest
    finite size of the row, as the noise of a product is.
    """
    some = np.isfinite(scores)
    if size >= scores.shape[1]:
        return some
    last = np.partition(scores, -size, axis=1)[:, -size, None]
    near = tolerance * np.abs(np.where(some, scores, 0)).max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        above = scores > last + near
        level = some & ~above & (scores >= last - near)
    free = size - above.sum(axis=1, keepdims=True)
    return above & some | (level & (np.cumsum(level, axis=1, dtype=np.int32) <= free))
