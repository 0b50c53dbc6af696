"""From scores to ranked lists: the same order on every machine, ties broken by item."""

import numpy as np
import torch

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

    Scores are not negative, except NEVER, which gives position -1. The bits of floats that are not
    negative are ordered as the floats are, so score and position make one integer key.
    """
    k = min(k, scores.shape[1])
    bits = np.ascontiguousarray(np.maximum(scores, 0), dtype=np.float32).view(np.int32)
    keys = (bits.astype(np.int64) + 1) << 31 | (2**31 - 1 - np.arange(scores.shape[1]))
    keys[scores < 0] = 0
    best = torch.topk(torch.from_numpy(keys), k, dim=1).values.numpy()
    places = np.where(best > 0, 2**31 - 1 - (best & (2**31 - 1)), -1)
    return places, np.where(best > 0, np.take_along_axis(scores, places, axis=1), 0.0)
