"""From scores to ranked lists: the same order on every machine, ties broken by item."""

import numpy as np

from training.catalogue import Catalogue
from training.sequences import Sequences

NEVER = -1.0  # score of an item that must not be in the list


def allowed_items(catalogue: Catalogue, platforms: np.ndarray, as_of: np.ndarray) -> np.ndarray:
    """[users, items] items of the platforms that a user uses, known by the day of the state.

    `platforms` is [users, platforms]. A user of no platform with items gets those of all.
    """
    uses = platforms | ~platforms.any(axis=1, keepdims=True)
    return uses[:, catalogue.platform] & (catalogue.first_day[None, :] <= as_of[:, None])


def touched_items(past: Sequences, rows: np.ndarray, items: int) -> np.ndarray:
    """[users, items] items of a user's history, whatever was done with them."""
    place, event = past.events_of(rows)
    known = past.item[event] >= 0
    touched = np.zeros((len(rows), items), dtype=bool)
    touched[place[known], past.item[event][known]] = True
    return touched


def top(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """[users, k] positions and scores of the best items, best first; equal scores by position.

    Scores are not negative, except NEVER, which gives position -1.
    """
    users, items = scores.shape
    k = min(k, items)
    if not users or not k:
        return np.zeros((users, k), dtype=np.int64), np.zeros((users, k), dtype=scores.dtype)
    least = np.partition(scores, items - k, axis=1)[:, items - k, None]
    above, level = scores > least, scores == least
    free = k - above.sum(axis=1, keepdims=True)
    chosen = above | (level & (np.cumsum(level, axis=1, dtype=np.int32) <= free))
    places = np.nonzero(chosen)[1].reshape(users, k)
    found = np.take_along_axis(scores, places, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")
    places, found = (np.take_along_axis(values, order, axis=1) for values in (places, found))
    return np.where(found >= 0, places, -1), np.maximum(found, 0)
