"""From data and preset to a trainer, and from a trainer to a published model."""

import hashlib
import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from pipeline.runtime.settings import Settings
from pipeline.tables.registry import TRAINING_EXAMPLES
from training.fitting import distributed
from training.fitting.targets import TargetDraws
from training.ensemble import Ensemble
from training.data.users import HEADS, Examples, load_examples
from training.job import open_day
from training.fitting.objective import Batcher
from training.model.predictor import CHUNK, Predictor
from training.network.presets import Preset
from training.propensity.fit_stack import Window, fit_propensities
from training.propensity.inputs import stack_inputs
from training.ranking.fit_blends import fit_rankers
from training.ranking.market import Market
from training.ranking.moments import Part, shares
from training.replay import rows_to_learn
from training.fitting.start import new_model
from training.states import UserStates
from training.model.model import Card, TrainedModel
from training.fitting.loop import Trainer
from training.fitting.data import TrainingData
from training.network.tuning import merge
from training.network.vocabulary import Candidates

WINDOWS = 5  # cut-offs that users are at most seen at before the test window


def build_trainer(
    data: TrainingData, preset: Preset, folder: Path, device: torch.device
) -> Trainer:
    """A trainer; all processes start from the same weights."""
    model = new_model(data, preset, device)
    ids = data.vocabulary.ids(data.catalogue)
    known = np.flatnonzero(ids > 0)
    return Trainer(
        model,
        Batcher(data.examples, data.catalogue, ids, preset, device),
        TargetDraws(data.examples, preset, data.last_day),
        Candidates(known, data.vocabulary.frequency[ids[known] - 1], preset),
        [rows_to_learn(data, preset)],
        distributed.world(),
        folder,
        _fingerprint(data, preset),
    )


def finish(
    trainer: Trainer, data: TrainingData, run: str, settings: Settings,
    ensemble: Ensemble | None = None,
) -> TrainedModel:  # fmt: skip
    """Calibrates the heads and fits the ranking on the whole validation fold.

    `ensemble` is published instead of the trainer's own model, which is its first member.
    """
    merge(trainer.model)
    preset, model = trainer.batcher.preset, (ensemble or trainer.model).eval()
    card = Card(
        data.ds, run, asdict(preset), model.shape.as_dict(), data.catalogue.encoder,
        list(data.catalogue.platforms), data.inputs, learned_to=data.last_day,
    )  # fmt: skip
    trained = TrainedModel(model, data.vocabulary, card, trainer.batcher.device)
    if preset.is_pretraining:
        return trained  # to be started from: it has no heads to calibrate, and ranks for nobody
    # The snapshot that was trained on, not a newer one.
    snapshot = data.inputs[TRAINING_EXAMPLES.name]
    _, rows = open_day(settings, TRAINING_EXAMPLES, data.ds, lambda newest: snapshot)
    rows = data.scope.examples(rows)
    valid = load_examples(rows, data.catalogue, ("valid",))
    predictor = Predictor.of(trained, data.catalogue)
    finished = load_examples(
        rows, data.catalogue, ("train", "valid"), shards=shares(rows.count_rows() // WINDOWS)
    )
    trained.fitted_propensities = fit_propensities(
        _window(predictor, finished, np.flatnonzero(finished.is_train)),
        _window(predictor, valid, np.arange(len(valid))),
        data.constant_heads,
        private=preset.epsilon > 0,
    )
    score = partial(_model_scores, predictor, finished)
    trained.fitted_rankers = fit_rankers(finished, data.catalogue, preset, score)
    return trained


def _model_scores(
    predictor: Predictor,
    examples: UserStates,
    places: dict[str, Market],
    rows: np.ndarray,
    part: Part,
) -> np.ndarray:
    """[candidates] log-probabilities by the transformer; `rows` are the users of the part."""
    here = replace(predictor, markets=places)
    users = [predictor.users(examples, rows[k : k + CHUNK]) for k in range(0, len(rows), CHUNK)]
    return here.model_scores(torch.cat(users), part, int(examples.as_of[rows[0]]))


def _window(predictor: Predictor, examples: Examples, rows: np.ndarray) -> Window:
    """Rows as the stack of the propensities learns from them."""
    logits = [np.zeros((0, len(HEADS)), np.float32)]
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        users = predictor.users(examples, some)
        logits.append(predictor.trained.head_logits(users, examples.features[some]))
    inputs = stack_inputs(examples, rows)
    return Window(inputs, examples.labels[rows], examples.as_of[rows], np.concatenate(logits))


def _fingerprint(data: TrainingData, preset: Preset) -> str:
    """Changes with preset, input snapshots, scope, earlier model and number of processes."""
    parts = [asdict(preset), data.inputs, data.ds, distributed.world(), asdict(data.scope)]
    parts.append(data.start.card.run if data.start else "")
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
