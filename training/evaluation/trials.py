"""A training that is compared with others: its cost, and the quality of the model alone.

There is no blend and no calibration: they would repair a weak model and hide the differences.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import open_day
from pipeline.tables.registry import TRAINING_EXAMPLES
from training.data.answers import answers_of, rows_with_answers
from training.data.catalogue import Catalogue, build_catalogue, load_catalogue, with_texts
from training.data.scope import EVERYTHING, Scope
from training.data.users import HEADS, Examples, load_examples
from training.evaluation.metrics import auc, ndcg, recall
from training.fitting.data import TrainingData, load_training_data
from training.fitting.fit_model import fit
from training.model.lists import NEVER, allowed_items, top
from training.model.model import Card, TrainedModel
from training.network.presets import Preset
from training.propensity.stack import log_loss, sigmoid

K, COLD_K = 10, 50
CELLS = 4_000_000  # users x items held at once
CHUNK = 512  # users that are encoded at once


@dataclass(frozen=True)
class TrialWindow:
    """Users at a later cut-off, and what they did after it."""

    examples: Examples
    catalogue: Catalogue
    users: int  # at most so many are ranked


@dataclass(frozen=True)
class Quality:
    """Per user with an answer, and per head."""

    ndcg: np.ndarray  # at 10
    recall: np.ndarray  # at 10
    cold: np.ndarray  # recall at 50 of items without an id of their own, NaN where the user has none
    auc: dict[str, float]
    log_loss: dict[str, float]  # before calibration

    @property
    def wanted_cold(self) -> int:
        """Users who engaged with an item without an id of its own."""
        return int((~np.isnan(self.cold)).sum())


@dataclass(frozen=True)
class Trial:
    """`seconds` are CPU seconds of training, earlier attempts included."""

    name: str
    parameters: int
    trainable: int
    seconds: float
    epochs: int
    quality: Quality
    forgetting: dict[str, float]  # when starting from an earlier model: losses on its oldest rows

    def figures(self) -> dict[str, float]:
        """What is logged."""
        quality = self.quality
        found = {
            "trainable": float(self.trainable),
            "cpu_seconds": self.seconds,
            "epochs": float(self.epochs),
            "ndcg_10": _mean(quality.ndcg),
            "recall_10": _mean(quality.recall),
            "cold_recall_50": _mean(quality.cold),
            "cold_users": float(quality.wanted_cold),
        }
        found |= {f"forgetting_{name}": value for name, value in self.forgetting.items()}
        return found | {
            f"{metric}_{head}": value
            for metric, heads in (("auc", quality.auc), ("log_loss", quality.log_loss))
            for head, value in heads.items()
        }


def run_trial(
    name: str, data: TrainingData, preset: Preset, window: TrialWindow, folder: Path
) -> tuple[Trial, TrainedModel]:
    """Trains in this process and judges the model on the window."""
    fitted = fit(data, preset, folder / name, torch.device("cpu"))
    seconds = sum(progress.cpu_seconds for progress in fitted.progress)
    model = fitted.model.eval()
    card = Card(
        data.ds,
        name,
        asdict(preset),
        model.shape.as_dict(),
        data.catalogue.encoder,
        list(data.catalogue.platforms),
        data.inputs,
        learned_to=data.last_day,
    )
    trained = TrainedModel(model, data.vocabulary, card)
    epochs = sum(progress.epoch for progress in fitted.progress)
    print(f"{name}: {epochs} epochs, {seconds:.0f} CPU s", flush=True)
    counts = (sum(weights.numel() for weights in model.parameters()), fitted.trainable)
    quality = judge_alone(trained, window)
    return Trial(name, *counts, seconds, epochs, quality, fitted.forgetting), trained


def judge_alone(trained: TrainedModel, window: TrialWindow) -> Quality:
    """How well the model ranks the next items, repeats allowed, and how well each head orders users."""
    items, bias = trained.item_vectors(window.catalogue)
    rows = rows_with_answers(window.examples)[: window.users]
    size = max(1, min(CHUNK, CELLS // len(window.catalogue)))
    cold = trained.vocabulary.ids(window.catalogue) == 0
    found: dict[str, list[np.ndarray]] = {"ndcg": [], "recall": [], "cold": []}
    for part in _parts(rows, size):
        users = trained.user_vectors(window.examples.past, part, window.catalogue, items)
        asked = answers_of(window.examples, part, len(window.catalogue))
        relevant = asked.dense(0, len(part))
        states = window.examples
        allowed = allowed_items(window.catalogue, states.platforms[part], states.as_of[part])
        scores = trained.item_probabilities(users, items, bias, allowed)
        places, _ = top(np.where(allowed, scores, NEVER), COLD_K)
        hits = np.take_along_axis(relevant, np.maximum(places, 0), axis=1) & (places >= 0)
        number = relevant.sum(axis=1)
        found["ndcg"].append(ndcg(hits, number, K))
        found["recall"].append(recall(hits, number, K))
        found["cold"].append(recall(hits & cold[places], (relevant & cold).sum(axis=1), COLD_K))
    metrics = {name: np.concatenate([np.zeros(0), *values]) for name, values in found.items()}
    areas, losses = _heads(trained, window, items)
    return Quality(**metrics, auc=areas, log_loss=losses)


def _heads(
    trained: TrainedModel, window: TrialWindow, items: torch.Tensor
) -> tuple[dict[str, float], dict[str, float]]:
    """AUC and log-loss of each head whose label has both classes."""
    examples, logits = window.examples, []
    for part in _parts(np.arange(len(examples)), CHUNK):
        users = trained.user_vectors(examples.past, part, window.catalogue, items)
        logits.append(trained.head_logits(users, examples.features[part]))
    scores = np.concatenate(logits)
    areas, losses = {}, {}
    for column, head in enumerate(HEADS):
        labels = examples.labels[:, column]
        known = ~np.isnan(labels)
        if len(np.unique(labels[known])) == 2:
            areas[head] = float(auc(labels[known], scores[known, column]))
            chances = sigmoid(scores[known, column])
            losses[head] = float(log_loss(labels[known], chances).mean())
    return areas, losses


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _parts(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def trial_data(settings: Settings, ds: str, scope: Scope, start: TrainedModel | None = None) -> TrainingData:
    """The train and valid folds of a scope."""
    return load_training_data(settings, ds, torch.device("cpu"), start, scope)


def trial_window(settings: Settings, ds: str, scope: Scope, preset: Preset) -> TrialWindow:
    """The test fold of all users of the scope's platforms. Raises ModelError when it is empty."""
    whole = replace(scope, users=1.0)
    catalogue, _ = load_catalogue(settings, ds, whole)
    rows = whole.examples(open_day(settings, TRAINING_EXAMPLES, ds)[1])
    examples = load_examples(rows, catalogue, ("test",))
    if not len(examples):
        raise ModelError(
            f"training_examples ds={ds}: expected rows of the fold test for {whole}, found none; take a later day"
        )
    return TrialWindow(examples, catalogue, preset.judged_users)


def others(settings: Settings, ds: str, scope: Scope) -> Scope:
    """All platforms except the scope's; all platforms if there are no others."""
    catalogue, _ = load_catalogue(settings, ds, EVERYTHING)
    rest = tuple(name for name in catalogue.platforms if name not in scope.platforms)
    return Scope(rest)


def replaced_vectors(
    data: TrainingData, window: TrialWindow, embeddings: pa.Table, settings: Settings
) -> tuple[TrainingData, TrialWindow]:
    """The same items, users and events, with text vectors of another encoder."""
    other = build_catalogue(embeddings)
    assert other.item_ids == data.catalogue.item_ids == window.catalogue.item_ids
    catalogue = replace(data.catalogue, text=other.text, encoder=other.encoder)
    catalogue = with_texts(settings, catalogue)
    return replace(data, catalogue=catalogue), replace(window, catalogue=catalogue)
