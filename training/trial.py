"""A training that is compared with others: what it cost, and how well the model alone does.

No blend and no calibration: a comparison of models must not be one of rankings that repair them.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from training.answers import answers_of, rows_with_answers
from training.building import build_trainer
from training.catalogue import Catalogue
from training.examples import HEADS, Examples
from training.metrics import auc, ndcg, recall
from training.presets import Preset
from training.ranking import NEVER, allowed_items, top
from training.trained import Card, TrainedModel
from training.training_data import TrainingData
from training.tuning import merge, trainable

K, COLD_K = 10, 50
CELLS = 4_000_000  # users x items held at once
CHUNK = 512  # users that are encoded at once


@dataclass(frozen=True)
class Window:
    """Users at a later cut-off, and what they did after it."""

    examples: Examples
    catalogue: Catalogue
    users: int  # at most so many are ranked


@dataclass(frozen=True)
class Quality:
    """Per user with an answer, and per head."""

    ndcg: np.ndarray  # at 10
    recall: np.ndarray  # at 10
    cold: np.ndarray  # recall at 50 of items without an id of their own, NaN where none was wanted
    auc: dict[str, float]

    @property
    def wanted_cold(self) -> int:
        """Users who turned to an item without an id of its own."""
        return int((~np.isnan(self.cold)).sum())


@dataclass(frozen=True)
class Trial:
    """`seconds` are CPU seconds of this process, which other work on the machine leaves alone."""

    name: str
    parameters: int
    trainable: int
    seconds: float
    epochs: int
    quality: Quality

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
        return found | {f"auc_{head}": value for head, value in quality.auc.items()}


def run_trial(
    name: str, data: TrainingData, preset: Preset, window: Window, folder: Path
) -> tuple[Trial, TrainedModel]:
    """Trains in this process and judges on the window."""
    trainer = build_trainer(data, preset, folder / name, torch.device("cpu"))
    counts = (
        sum(weights.numel() for weights in trainer.model.parameters()),
        trainable(trainer.model),
    )
    began = time.process_time()
    progress = trainer.fit()
    seconds = time.process_time() - began
    merge(trainer.model.eval())
    card = Card(
        data.ds, name, asdict(preset), trainer.model.shape.as_dict(), data.catalogue.encoder,
        list(data.catalogue.platforms), data.inputs,
    )  # fmt: skip
    trained = TrainedModel(trainer.model, data.vocabulary, card)
    print(f"{name}: {progress.epoch} epochs, {seconds:.0f} CPU s", flush=True)
    return Trial(name, *counts, seconds, progress.epoch, judge_alone(trained, window)), trained


def judge_alone(trained: TrainedModel, window: Window) -> Quality:
    """How the model ranks the next items, repeats allowed, and how it orders users by each head."""
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
    return Quality(**metrics, auc=_auc(trained, window, items))


def _auc(trained: TrainedModel, window: Window, items: torch.Tensor) -> dict[str, float]:
    examples, logits = window.examples, []
    for part in _parts(np.arange(len(examples)), CHUNK):
        users = trained.user_vectors(examples.past, part, window.catalogue, items)
        logits.append(trained.head_logits(users, examples.features[part]))
    scores = np.concatenate(logits)
    found = {}
    for column, head in enumerate(HEADS):
        labels = examples.labels[:, column]
        known = ~np.isnan(labels)
        if len(np.unique(labels[known])) == 2:
            found[head] = float(auc(labels[known], scores[known, column]))
    return found


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _parts(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
