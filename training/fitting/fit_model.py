"""Fits what a preset asks for: a model or an ensemble of seeds, with ordinary or private heads."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from pipeline.runtime.errors import ModelError
from training.fitting import distributed
from training.building import build_trainer
from training.fitting.checkpoints import Progress
from training.ensemble import Ensemble, together
from training.network.network import InterestModel
from training.fitting.objective import Objective
from training.network.presets import Preset
from training.fitting.private_heads import Privacy, Users, fit_private_heads
from training.model.model import TrainedModel
from training.fitting.loop import Trainer
from training.fitting.data import TrainingData
from training.network.tuning import merge, trainable

OnEpoch = Callable[[int, Progress], None]  # member of the ensemble, and where it stands


@dataclass
class Fitted:
    """What training gives: the model, and how it came about."""

    trainer: Trainer  # of the first member
    model: InterestModel | Ensemble
    trainable: int = 0  # parameters that were trained, of all members
    progress: list[Progress] = field(default_factory=list)  # of each member
    forgetting: dict[str, float] = field(default_factory=dict)  # losses on old rows, after - before
    privacy: Privacy | None = None


def fit(
    data: TrainingData, preset: Preset, folder: Path, device: torch.device,
    on_epoch: OnEpoch = lambda member, progress: None,
) -> Fitted:  # fmt: skip
    """Trains every member of the ensemble, one after the other; checkpoints go to `folder`."""
    _check_private(preset)
    members = [
        _fit_member(data, preset, number, folder, device, on_epoch)
        for number in range(preset.seeds)
    ]
    first = members[0]
    model = together([member.trainer.model for member in members])
    curves = [member.trainer.progress for member in members]
    learnt = sum(member.trainable for member in members)
    fitted = Fitted(first.trainer, model, learnt, curves, first.forgetting)
    if preset.epsilon:
        fitted.privacy = fit_private_heads(
            fitted.trainer.model.heads, head_users(fitted.trainer), preset
        )
    return fitted


def head_users(trainer: Trainer) -> Users:
    """What the heads read of this process's labelled rows, gathered by user."""
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
    data: TrainingData, preset: Preset, number: int, folder: Path, device: torch.device,
    on_epoch: OnEpoch,
) -> _Member:  # fmt: skip
    own = replace(preset, seed=preset.seed + number)
    started = replace(data, start=data.start and _member(data.start, number))
    trainer = build_trainer(started, own, folder / f"seed-{own.seed}", device)
    learnt = trainable(trainer.model)
    old = _oldest(trainer) if data.start else None
    before = trainer.mean_loss(old) if old is not None else {}
    if data.start:  # no epoch counts as better unless it is better than the earlier model
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
    """Training rows of the oldest cut-off over all processes: where forgetting would show."""
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
