"""The topic of every item of a night: assigned to an earlier topic, or clustered again."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from pipeline.runtime.near_ties import SINGLE
from training.topics import clusters
from training.topics.day_items import DayItems
from training.topics.lineage import Earlier, Lineage, refresh_reason, trace

SAMPLE = 50_000  # items that clusters are fitted on
FIRST_WORTH, LATER_WORTH = 1.05, 1.5  # gain over loss of a move; later clusterings prefer the existing clusters
ROOM = 0.1  # factor by which there may be more topics than wanted
APART = 0.5  # of the usual distance: closer topics become one, if their number is not set
STILL_FITS = 0.5  # of the best cosine: an item keeps its topic between refreshes


@dataclass(frozen=True)
class Placed:
    """Every item in one cluster; `lineage` says which earlier topic a cluster continues."""

    label: np.ndarray
    number: int
    lineage: Lineage
    reason: str  # of the refresh, "" for none


def wanted_topics(items: int, setting: int) -> int:
    """The configured number, or by default twice the cube root of the number of items."""
    return setting or max(1, round(2 * items ** (1 / 3)))


def place_items(items: DayItems, vectors: np.ndarray, past: Earlier, ds: str, setting: int) -> Placed:
    """Assigns items to the earlier topics, or clusters them again when that is due."""
    wanted = wanted_topics(len(items), setting)
    start = clusters.means(vectors, past.label, len(past.living))
    label, similarity = _assigned(vectors, past, start)
    reason = refresh_reason(past, ds, items, float(similarity.mean()), setting)
    if reason:
        rows = vectors[_sample(items)].astype(np.float32)
        centroids = _refreshed(rows, start, wanted, exact=bool(setting))
        label, _ = clusters.assign(vectors, centroids)
    numbers, label = np.unique(label, return_inverse=True)
    lineage = trace(past.label, label, len(past.living), len(numbers))
    return Placed(label, len(numbers), lineage, reason)


def _assigned(vectors: np.ndarray, past: Earlier, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Topic and cosine of each item: its earlier topic if it still fits, or the nearest."""
    if not len(centroids):
        return past.label, np.zeros(len(vectors), np.float32)
    nearest, best = clusters.assign(vectors, centroids)
    own = clusters.own_cosine(vectors, centroids, past.label)
    stays = (past.label >= 0) & (own >= STILL_FITS * best - SINGLE)
    return np.where(stays, past.label, nearest), np.where(stays, own, best)


def _refreshed(rows: np.ndarray, start: np.ndarray, wanted: int, exact: bool) -> np.ndarray:
    """New centroids, starting from the earlier ones if there are any."""
    start, apart = start[start.any(axis=1)], 0.0 if exact else APART
    if not len(start):
        return clusters.fit(rows, wanted, FIRST_WORTH, apart=apart)
    number = wanted if exact or len(start) > (1 + ROOM) * wanted else max(wanted, len(start))
    return clusters.fit(rows, number, LATER_WORTH, start, apart)


def _sample(items: DayItems) -> np.ndarray:
    """Places of all items, or of a SAMPLE if there are very many: those with the smallest hash of their id."""
    if len(items) <= SAMPLE:
        return np.arange(len(items))
    hashes = [crc32(item.encode()) for item in items.ids.to_pylist()]
    return np.sort(np.argsort(np.array(hashes), kind="stable")[:SAMPLE])
