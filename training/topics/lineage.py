"""The topics of the newest earlier night that had any, and whether to cluster again."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from scipy.optimize import linear_sum_assignment

from pipeline.runtime.days import shift
from pipeline.runtime.near_ties import SINGLE
from pipeline.storage.inputs import LOG_BEGINS, Inputs
from pipeline.tables.interests import ITEM_TOPICS, TOPICS
from training.data.arrow import plain
from training.topics.day_items import DayItems, positions

NEW_ITEMS = 0.1  # from this share of new items on, clusters are recomputed
LOST_SIMILARITY = 0.05  # share of the mean similarity

MOSTLY = 0.5  # from this share of items on, one is mostly the other


@dataclass(frozen=True)
class Earlier:
    """Rows of `topics` of one earlier night, and the topic of each of today's items."""

    ds: str
    rows: list[dict]  # all, including those that ended
    living: list[dict]
    label: np.ndarray  # [items of today] place in `living`, -1 = none
    similarity: float  # mean of that night

    @classmethod
    def none(cls, items: DayItems) -> "Earlier":
        return cls("", [], [], np.full(len(items), -1), 0.0)


def read_earlier(inputs: Inputs, ds: str, items: DayItems) -> Earlier:
    """The newest night before `ds` that has topics.

    A night without items has no topics, but ids given before it must not be reused. That no night after it has any is
    noted too: one that is filled in later would be the one to go on from.
    """
    nights = inputs.pins.days(TOPICS.name), inputs.pins.days(ITEM_TOPICS.name)
    days = [day for day, it in nights[0].items() if day < ds and it.rows and day in nights[1]]
    for table in (TOPICS, ITEM_TOPICS):
        inputs.note(table.name, max(days, default=LOG_BEGINS), shift(ds, -1))
    if not days:
        return Earlier.none(items)
    topics, placed = (inputs.open_day(table, days[-1]) for table in (TOPICS, ITEM_TOPICS))
    rows = topics.to_table().sort_by("topic_id").to_pylist()
    return earlier(days[-1], rows, placed.to_table(), items)


def earlier(ds: str, rows: list[dict], placed: pa.Table, items: DayItems) -> Earlier:
    """From rows of `topics` in order of id, and `item_topics` of the same night."""
    living = [row for row in rows if row["ended_ds"] is None]
    ids = pa.array([row["topic_id"] for row in living], pa.string())
    topic = positions(placed["topic_id"], ids)
    label = np.append(topic, -1)[positions(items.ids, plain(placed["item_id"]))]
    similarity = placed["similarity"].to_numpy()
    return Earlier(ds, rows, living, label, float(similarity.mean(dtype=float)) if len(similarity) else 0.0)


def refresh_reason(past: Earlier, ds: str, items: DayItems, mean: float, setting: int) -> str:
    """Why clusters are recomputed on `ds`, "" if items are only assigned to the existing ones."""
    if not past.living:
        return "no topics yet"
    if any(row["encoder"] != items.encoder for row in past.living):
        return "another text encoder"
    if _monday(ds) > past.ds:
        return "a new week"
    if (past.label < 0).mean() > NEW_ITEMS:
        return "many new items"
    if mean < (1 - LOST_SIMILARITY) * past.similarity - SINGLE:
        return "items fit their topics less"
    if setting and len(past.living) != setting:
        return "another number of topics is set"
    return ""


def _monday(ds: str) -> str:
    day = date.fromisoformat(ds)
    return (day - timedelta(days=day.weekday())).isoformat()


@dataclass(frozen=True)
class Lineage:
    """Places of new clusters and of earlier topics."""

    kept: dict[int, int]  # new cluster -> the earlier topic that it continues
    split: dict[int, int]  # born cluster -> the earlier topic that most of its items come from
    merged: dict[int, int]  # ended topic -> the new cluster that took most of its items


def trace(before: np.ndarray, now: np.ndarray, topics: int, clusters: int) -> Lineage:
    """Matches the earlier topic (-1 = none) and the new cluster of every item of today.

    A topic continues as the cluster that shares most items with it, by the best total Jaccard index over all topics
    (Kuhn 1955), if one of the two is mostly the other. A new cluster without an earlier topic is born; an earlier topic
    without a new cluster has ended.
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
