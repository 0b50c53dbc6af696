"""What trials are trained and judged on."""

from dataclasses import replace

import pyarrow as pa
import torch

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from pipeline.tables.registry import TRAINING_EXAMPLES
from training.data.catalogue import build_catalogue
from training.data.users import load_examples
from training.job import open_day
from training.network.presets import Preset
from training.data.scope import EVERYTHING, Scope
from training.model.model import TrainedModel
from training.fitting.data import TrainingData, load_catalogue, load_training_data, with_texts
from training.evaluation.trials import Window


def trial_data(
    settings: Settings, ds: str, scope: Scope, start: TrainedModel | None = None
) -> TrainingData:
    """The folds train and valid of a scope."""
    return load_training_data(settings, ds, torch.device("cpu"), start, scope)


def trial_window(settings: Settings, ds: str, scope: Scope, preset: Preset) -> Window:
    """The test fold of all users of the scope's platforms. Raises ModelError when it is empty."""
    whole = replace(scope, users=1.0)
    catalogue, _ = load_catalogue(settings, ds, whole)
    rows = whole.examples(open_day(settings, TRAINING_EXAMPLES, ds)[1])
    examples = load_examples(rows, catalogue, ("test",))
    if not len(examples):
        raise ModelError(
            f"training_examples ds={ds}: expected rows of the fold test for {whole}, found none; "
            "take a later day"
        )
    return Window(examples, catalogue, preset.judged_users)


def others(settings: Settings, ds: str, scope: Scope) -> Scope:
    """All platforms but the scope's; all where there are no others."""
    catalogue, _ = load_catalogue(settings, ds, EVERYTHING)
    rest = tuple(name for name in catalogue.platforms if name not in scope.platforms)
    return Scope(rest)


def replaced_vectors(
    data: TrainingData, window: Window, embeddings: pa.Table, settings: Settings
) -> tuple[TrainingData, Window]:
    """The same items, users and events with the text vectors of another encoder."""
    other = build_catalogue(embeddings)
    assert other.item_ids == data.catalogue.item_ids == window.catalogue.item_ids
    catalogue = replace(data.catalogue, text=other.text, encoder=other.encoder)
    catalogue = with_texts(settings, catalogue)
    return replace(data, catalogue=catalogue), replace(window, catalogue=catalogue)
