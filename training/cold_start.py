"""Users of whom little is known: their rows rest on text, platform and popularity."""

import numpy as np

from training.data.sequences import Sequences

COLD_EVENTS = 3  # fewer events with an item than this make a cold start


def cold_starts(past: Sequences) -> np.ndarray:
    """[rows] why a user is a cold start, None for one who is not.

    The lists are made of what users turn to: returns, reviews and impressions alone tell them
    nothing, however many there are.
    """
    found = np.full(len(past), None, dtype=object)
    read = items_read(past)
    found[read < COLD_EVENTS] = "few_events"
    found[np.bincount(past.rows[past.engaged], minlength=len(past)) == 0] = "no_engagement"
    found[read == 0] = "no_known_item"
    return found


def items_read(past: Sequences) -> np.ndarray:
    """[rows] events with an item of the catalogue."""
    return np.bincount(past.rows[past.item >= 0], minlength=len(past))
