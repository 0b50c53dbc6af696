"""Fits what a preset asks for: a model or an ensemble of seeds, with ordinary or private heads."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import open_day
from pipeline.tables.registry import TRAINING_EXAMPLES
from training.data import distributed
from training.data.users import HEADS, Examples, UserStates, load_examples
from training.fitting.checkpoints import Progress
from training.fitting.data import TrainingData, rows_to_learn
from training.fitting.loop import Trainer
from training.fitting.objective import Batcher, Objective
from training.fitting.private_heads import Privacy, Users, fit_private_heads
from training.fitting.start import new_model
from training.fitting.targets import Negatives, TargetDraws
from training.model.model import Card, TrainedModel
from training.model.predictor import CHUNK, Predictor
from training.network.network import Ensemble, InterestModel, together
from training.network.presets import Preset
from training.network.tuning import merge, trainable
from training.propensity.fit_stack import StackRows, fit_propensities
from training.propensity.plain_models import stack_inputs
from training.ranking.engagements import shares
from training.ranking.fit_blends import fit_blends
from training.ranking.market import Market
from training.ranking.moments import Part

OnEpoch = Callable[[int, Progress], None]  # member of the ensemble, and its progress

WINDOWS = 5  # at most this many cut-offs per user before the test window


@dataclass
class Fitted:
    """The result of training: the model, and how it was made."""

    trainer: Trainer  # of the first member
    model: InterestModel | Ensemble
    trainable: int = 0  # parameters that were trained, of all members
    progress: list[Progress] = field(default_factory=list)  # of each member
    forgetting: dict[str, float] = field(default_factory=dict)  # losses on old rows, after - before
    privacy: Privacy | None = None


def fit(
    data: TrainingData,
    preset: Preset,
    folder: Path,
    device: torch.device,
    on_epoch: OnEpoch = lambda member, progress: None,
) -> Fitted:
    """Trains every member of the ensemble in turn; checkpoints go to `folder`."""
    _check_private(preset)
    members = [_fit_member(data, preset, number, folder, device, on_epoch) for number in range(preset.seeds)]
    first = members[0]
    model = together([member.trainer.model for member in members])
    curves = [member.trainer.progress for member in members]
    learnt = sum(member.trainable for member in members)
    fitted = Fitted(first.trainer, model, learnt, curves, first.forgetting)
    if preset.epsilon:
        fitted.privacy = fit_private_heads(fitted.trainer.model.heads, head_users(fitted.trainer), preset)
    return fitted


def head_users(trainer: Trainer) -> Users:
    """The heads' inputs for this process's labelled rows, grouped by user."""
    batcher, examples = trainer.batcher, trainer.batcher.examples
    objective = Objective(trainer.model, batcher.preset).eval()
    rows = np.flatnonzero(examples.is_train)
    candidates, inputs = trainer.candidates.of_step(0, 0), []
    with torch.no_grad():
        for start in range(0, len(rows), batcher.preset.batch):
            part = rows[start : start + batcher.preset.batch]
            nothing = trainer.draws.ahead(part, 0).only(np.zeros(len(part), dtype=bool))
            batch = batcher.batch(part, nothing, candidates, examples.labels[part])
            inputs.append(objective.head_inputs(batch))
    labels = torch.from_numpy(examples.labels[rows].astype(np.float32)).to(batcher.device)
    return Users.of(examples.key[rows] >> 16, torch.cat(inputs), labels)


@dataclass(frozen=True)
class _Member:
    trainer: Trainer
    trainable: int
    forgetting: dict[str, float]


def _fit_member(
    data: TrainingData,
    preset: Preset,
    number: int,
    folder: Path,
    device: torch.device,
    on_epoch: OnEpoch,
) -> _Member:
    own = replace(preset, seed=preset.seed + number)
    started = replace(data, start=data.start and _member(data.start, number))
    trainer = build_trainer(started, own, folder / f"seed-{own.seed}", device)
    learnt = trainable(trainer.model)
    old = _oldest(trainer) if data.start else None
    before = trainer.mean_loss(old) if old is not None else {}
    if data.start:  # an epoch counts as better only if it beats the earlier model
        trainer.progress.best_loss = trainer.valid_loss()["total"]
    trainer.fit(lambda progress: on_epoch(number, progress))
    after = trainer.mean_loss(old) if old is not None else {}
    merge(trainer.model)
    return _Member(trainer, learnt, {name: after[name] - before[name] for name in before})


def _member(start: TrainedModel, number: int) -> TrainedModel:
    """The earlier model's member of that number; an earlier single model starts all members."""
    if isinstance(start.model, Ensemble):
        return replace(start, model=start.model.member(number))
    return start


def _oldest(trainer: Trainer) -> np.ndarray:
    """Training rows of the oldest cut-off over all processes, where forgetting would show."""
    examples = trainer.batcher.examples
    rows = np.flatnonzero(examples.is_train)
    days = examples.as_of[rows]
    first = -distributed.largest(-int(days.min(initial=10**6)), trainer.batcher.device)
    return rows[days == first]


def _check_private(preset: Preset) -> None:
    if preset.epsilon and (preset.heads_weight or preset.seeds > 1):
        raise ModelError(
            f"preset {preset.name}: expected heads_weight 0 and one seed with an epsilon, found "
            f"{preset.heads_weight} and {preset.seeds}; labels must reach nothing but the heads, "
            "and every member would spend the epsilon again"
        )


def build_trainer(data: TrainingData, preset: Preset, folder: Path, device: torch.device) -> Trainer:
    """A trainer; all processes start from the same weights."""
    model = new_model(data, preset, device)
    ids = data.vocabulary.ids(data.catalogue)
    known = np.flatnonzero(ids > 0)
    return Trainer(
        model,
        Batcher(data.examples, data.catalogue, ids, preset, device),
        TargetDraws(data.examples, preset, data.last_day),
        Negatives(known, data.vocabulary.frequency[ids[known] - 1], preset),
        [rows_to_learn(data, preset)],
        distributed.world(),
        folder,
        _fingerprint(data, preset),
    )


def finish(
    trainer: Trainer,
    data: TrainingData,
    run: str,
    settings: Settings,
    ensemble: Ensemble | None = None,
) -> TrainedModel:
    """Calibrates the heads and fits the ranking on the whole validation fold.

    If given, `ensemble` is published instead of the trainer's own model, which is its first member.
    """
    merge(trainer.model)
    preset, model = trainer.batcher.preset, (ensemble or trainer.model).eval()
    card = Card(
        data.ds,
        run,
        asdict(preset),
        model.shape.as_dict(),
        data.catalogue.encoder,
        list(data.catalogue.platforms),
        data.inputs,
        learned_to=data.last_day,
    )
    trained = TrainedModel(model, data.vocabulary, card, trainer.batcher.device)
    if preset.is_pretraining:
        return trained  # only a starting point: it has no heads to calibrate and serves no rankings
    # The snapshot that was trained on, not a newer one.
    snapshot = data.inputs[TRAINING_EXAMPLES.name]
    _, rows = open_day(settings, TRAINING_EXAMPLES, data.ds, lambda newest: snapshot)
    sample = shares(rows.count_rows() // WINDOWS)  # of all users, whose last part a scope keeps
    rows = data.scope.examples(rows)
    valid = load_examples(rows, data.catalogue, ("valid",))
    predictor = Predictor.of(trained, data.catalogue)
    finished = load_examples(rows, data.catalogue, ("train", "valid"), shard=sample - 1, shards=sample)
    trained.fitted_propensities = fit_propensities(
        _window(predictor, finished, np.flatnonzero(finished.is_train)),
        _window(predictor, valid, np.arange(len(valid))),
        data.constant_heads,
        private=preset.epsilon > 0,
    )
    score = partial(model_scores, predictor, finished)
    trained.fitted_rankers = fit_blends(finished, data.catalogue, preset, score)
    return trained


def model_scores(
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


def _window(predictor: Predictor, examples: Examples, rows: np.ndarray) -> StackRows:
    """Rows in the form that the propensity stack learns from."""
    logits = [np.zeros((0, len(HEADS)), np.float32)]
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        users = predictor.users(examples, some)
        logits.append(predictor.trained.head_logits(users, examples.features[some]))
    inputs = stack_inputs(examples, rows)
    return StackRows(inputs, examples.labels[rows], examples.as_of[rows], np.concatenate(logits))


def _fingerprint(data: TrainingData, preset: Preset) -> str:
    """Changes with preset, input snapshots, scope, earlier model and number of processes."""
    parts = [asdict(preset), data.inputs, data.ds, distributed.world(), asdict(data.scope)]
    parts.append(data.start.card.run if data.start else "")
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
