"""What the plain models read of a user: windowed counts and rhythm.

The rhythm holds the calendar as the user lived it (bought a year ago). The day of the year is
left out: a model that met a few cut-offs learns their levels by it, and misses the next one's.
"""

import numpy as np

from training.data.rhythm import RHYTHM
from training.states import UserStates
from training.data.windowed_counts import FEATURES

INPUTS = (*FEATURES, *RHYTHM)


def stack_inputs(states: UserStates, rows: np.ndarray) -> np.ndarray:
    """[rows, INPUTS] float32; NaN where something is undefined."""
    return np.concatenate([states.features[rows], states.rhythm[rows]], axis=1)
