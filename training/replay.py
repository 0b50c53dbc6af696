"""Which rows a job learns from: all of them, or after a warm start those with news and a replay.

Learning from news alone overwrites what older behaviour taught; going over a share of the older
rows again holds it (replay: Robins 1995).
"""

import numpy as np

from training.data.draws import uniform
from training.data.users import Examples
from training.network.presets import Preset
from training.fitting.data import TrainingData

REPLAY = 6  # purpose of the draw


def rows_to_learn(data: TrainingData, preset: Preset) -> np.ndarray:
    """Rows of this process's examples; of those without news the preset's share, drawn by day."""
    examples = data.examples
    if data.start is None or preset.replay >= 1:
        return np.arange(len(examples))
    news = with_news(examples, data.start.card.learned_to, data.last_day)
    drawn = uniform(preset.seed, REPLAY, data.last_day, examples.key) < preset.replay
    return np.flatnonzero(news | drawn)


def with_news(examples: Examples, after: int, last_day: int) -> np.ndarray:
    """[rows] whether training sees an event in the row that arrived later than `after`."""
    found = np.zeros(len(examples), dtype=bool)
    past, future = examples.past, examples.future
    for events, counts in ((past, True), (future, examples.is_train[future.rows])):
        fresh = (events.arrival > after) & (events.arrival <= last_day) & counts
        found[events.rows[fresh]] = True
    return found
