"""The strongest effects of each group, in an order that does not depend on the machine."""

import numpy as np

LEAST = 0.005  # log-odds: less is no reason
DIGITS = 5  # that count when effects are ordered: further ones are rounding


def strongest(group: np.ndarray, tie: np.ndarray, effect: np.ndarray, most: int) -> np.ndarray:
    """Places of the `most` largest effects of each group, by group, then size; ties by `tie`."""
    size = np.round(np.abs(effect), DIGITS)
    kept = np.flatnonzero(size >= LEAST)
    order = kept[np.lexsort((tie[kept], -size[kept], group[kept]))]
    ordered = group[order]
    place = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return order[place < most]
