"""Rankers that need no training; each gives [users, items] probabilities."""

import numpy as np

from training.sequences import Sequences

POPULARITY_DAYS = (7, 14, 30)
HALF_LIVES = (15.0, 45.0, 1e9)  # days; the last is plain frequency


def popularity(events: Sequences, as_of: np.ndarray, days: int, items: int) -> np.ndarray:
    """[items] engaged events that landed in the `days` up to each row's state."""
    ago = as_of[events.rows] - events.arrival
    recent = events.engaged & (ago >= 0) & (ago < days)
    return np.bincount(events.item[recent], minlength=items).astype(np.float32)


def recent_ranking(counts: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """[users, items] popularity among the items that a user may get."""
    return shares(counts[None, :] * allowed)


def own_repeats(
    past: Sequences, rows: np.ndarray, as_of: np.ndarray, half_life: float, items: int
) -> np.ndarray:
    """[users, items] how often a user turned to an item, halved every `half_life` days."""
    place, event = past.events_of(rows)
    kept = past.engaged[event]
    place, event = place[kept], event[kept]
    age = np.maximum(as_of[rows][place] - past.day[event], 0)
    weight = 0.5 ** (age / half_life)
    counts = np.bincount(place * items + past.item[event], weight, len(rows) * items)
    return shares(counts.reshape(len(rows), items).astype(np.float32))


def shares(scores: np.ndarray) -> np.ndarray:
    """Rows scaled to sum 1; rows of zeros stay so."""
    sums = scores.sum(axis=1, keepdims=True)
    return scores / np.where(sums > 0, sums, 1)
