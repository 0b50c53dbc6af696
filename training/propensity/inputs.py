"""What the stacked models read of a user: windowed counts, rhythm and calendar."""

import numpy as np

from training.propensity.rhythm import RHYTHM
from training.states import UserStates
from training.windowed_counts import FEATURES

YEAR = 365.25  # days
CALENDAR = ("year_sine", "year_cosine")
INPUTS = (*FEATURES, *RHYTHM, *CALENDAR)


def stack_inputs(states: UserStates, rows: np.ndarray) -> np.ndarray:
    """[rows, INPUTS] float32; NaN where something is undefined."""
    angle = 2 * np.pi * states.as_of[rows] / YEAR
    calendar = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    parts = [states.features[rows], states.rhythm[rows], calendar]
    return np.concatenate(parts, axis=1).astype(np.float32)
