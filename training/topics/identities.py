"""Which new cluster is which earlier topic, told by the items they share."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

MOSTLY = 0.5  # share of items from which on one is mostly the other


@dataclass(frozen=True)
class Lineage:
    """Places of new clusters and of earlier topics."""

    kept: dict[int, int]  # new cluster -> the earlier topic that it is
    split: dict[int, int]  # born cluster -> the earlier topic that most of its items come from
    merged: dict[int, int]  # ended topic -> the new cluster that took most of its items


def trace(before: np.ndarray, now: np.ndarray, topics: int, clusters: int) -> Lineage:
    """From the earlier topic (-1 = none) and the new cluster of every item of today.

    A topic goes on as the cluster that shares most items with it, by Jaccard index, best in sum
    over all topics (Kuhn 1955), if one of the two mostly is the other. A new cluster without
    earlier topic is born; an earlier topic without new cluster has ended.
    """
    shared = np.zeros((topics, clusters))
    known = before >= 0
    np.add.at(shared, (before[known], now[known]), 1)
    left = np.maximum(shared.sum(axis=1, keepdims=True), 1)  # items that the topic still has
    size = np.maximum(np.bincount(now, minlength=clusters), 1)
    alike = shared / (left + size - shared)
    alike[(shared < MOSTLY * left) & (shared < MOSTLY * size)] = 0
    pairs = zip(*linear_sum_assignment(-alike), strict=True)
    kept = {int(new): int(old) for old, new in pairs if alike[old, new] > 0}
    split = {
        new: int(shared[:, new].argmax())
        for new in range(clusters)
        if new not in kept and topics and shared[:, new].max() >= MOSTLY * size[new]
    }
    ended = set(range(topics)) - set(kept.values())
    merged = {
        old: int(shared[old].argmax())
        for old in sorted(ended)
        if clusters and shared[old].max() >= MOSTLY * left[old, 0]
    }
    return Lineage(kept, split, merged)
