"""Everything that one process of a training job reads, and what all processes agree on."""

from dataclasses import dataclass

import numpy as np
import torch

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from pipeline.tables.registry import TRAINING_EXAMPLES
from training.data import distributed
from training.data.catalogue import NO_PINS, Catalogue, Pins, load_catalogue, open_table
from training.data.draws import uniform
from training.data.scope import EVERYTHING, Scope
from training.data.users import HEADS, Examples, load_examples
from training.model.model import TrainedModel
from training.network.presets import Preset
from training.network.vocabulary import Vocabulary, count_items, vocabulary_of

REPLAY = 6  # purpose of the draw


@dataclass(frozen=True)
class TrainingData:
    """`examples` are this process's share; everything else is the same in every process.

    `last_day` (since 1970) is the validation cut-off: training sees nothing after it.
    """

    ds: str
    examples: Examples
    catalogue: Catalogue
    vocabulary: Vocabulary
    last_day: int
    inputs: dict[str, int]
    constant_heads: dict[str, float]  # heads with only one class in training, with their rate
    mean: np.ndarray  # of the features of training rows
    spread: np.ndarray
    start: TrainedModel | None = None  # whose weights and ids training goes on from
    scope: Scope = EVERYTHING


def load_training_data(
    settings: Settings,
    ds: str,
    device: torch.device,
    start: TrainedModel | None = None,
    scope: Scope = EVERYTHING,
    pins: Pins = NO_PINS,
) -> TrainingData:
    """The train and valid folds. Raises ModelError if the day cannot be trained on."""
    catalogue, inputs = load_catalogue(settings, ds, scope, pins)
    inputs[TRAINING_EXAMPLES.name], rows = open_table(settings, TRAINING_EXAMPLES, ds, pins)
    shard, shards = distributed.rank(), distributed.world()
    rows = scope.examples(rows)
    examples = load_examples(rows, catalogue, ("train", "valid"), shard, shards)
    is_train = examples.is_train
    counts = [is_train.sum(), (~is_train).sum(), shards if not len(examples) else 0]
    _check_folds(distributed.total_of(np.array(counts), device), ds, shards)
    last_day = distributed.largest(int(examples.as_of[~is_train].max(initial=0)), device)
    seen = distributed.total_of(count_items(examples, last_day, len(catalogue)), device)
    vocabulary = vocabulary_of(catalogue, seen.astype(np.int64), start.vocabulary if start else None)
    if not seen.any():
        raise ModelError(f"training_examples ds={ds}: expected events with items, found none")
    constant = _constant_heads(examples, device)
    mean, spread = _scale(examples.features[is_train], device)
    return TrainingData(
        ds,
        examples,
        catalogue,
        vocabulary,
        last_day,
        inputs,
        constant,
        mean,
        spread,
        start,
        scope,
    )


def _check_folds(counts: np.ndarray, ds: str, shards: int) -> None:
    train, valid, empty = (int(count) for count in counts)
    if not train or not valid:
        raise ModelError(
            f"training_examples ds={ds}: expected rows of the folds train and valid, found {train} "
            f"and {valid}; the log is too short for this day, train on a later one"
        )
    if empty:
        raise ModelError(
            f"training_examples ds={ds}: expected users for each of {shards} processes, found "
            f"{train + valid} rows that leave one without any; use fewer processes"
        )


def _constant_heads(examples: Examples, device: torch.device) -> dict[str, float]:
    labels = examples.labels[examples.is_train]
    known = distributed.total_of((~np.isnan(labels)).sum(axis=0), device)
    positive = distributed.total_of(np.nansum(labels, axis=0), device)
    rates = positive / np.maximum(known, 1)
    return {head: float(rate) for head, rate in zip(HEADS, rates, strict=True) if rate in (0, 1)}


def _scale(features: np.ndarray, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature over all processes; the deviation is 1 if a feature never varies."""
    rows = distributed.total_of(np.array([len(features)]), device)[0]
    mean = distributed.total_of(features.astype(np.float64).sum(axis=0), device) / rows
    squares = distributed.total_of(((features - mean) ** 2).sum(axis=0), device) / rows
    spread = np.sqrt(squares)
    return mean, np.where(spread > 1e-6, spread, 1.0)


def rows_to_learn(data: TrainingData, preset: Preset) -> np.ndarray:
    """Rows of this process's examples to train on; of rows without news only the preset's share, drawn by day."""
    examples = data.examples
    if data.start is None or preset.replay >= 1:
        return np.arange(len(examples))
    news = with_news(examples, data.start.card.learned_to, data.last_day)
    drawn = uniform(preset.seed, REPLAY, data.last_day, examples.key) < preset.replay
    return np.flatnonzero(news | drawn)


def with_news(examples: Examples, after: int, last_day: int) -> np.ndarray:
    """[rows] whether the row has an event that training sees and that arrived later than `after`."""
    found = np.zeros(len(examples), dtype=bool)
    past, future = examples.past, examples.future
    for events, counts in ((past, True), (future, examples.is_train[future.rows])):
        fresh = (events.arrival > after) & (events.arrival <= last_day) & counts
        found[events.rows[fresh]] = True
    return found
