"""The training loop: learning, resuming, early stopping, two processes as one."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from tests.unit.training.factory import DS
from training.fitting.checkpoints import Progress
from training.fitting.data import TrainingData, load_training_data
from training.fitting.fit_model import build_trainer
from training.fitting.loop import Trainer
from training.network.presets import PRESETS, Preset

PRESET = replace(PRESETS["tiny"], epochs=4, steps_per_epoch=3, patience=4)
PROJECT = Path(__file__).resolve().parents[4]


class Interrupted(Exception):
    """A job that is killed between two epochs."""


@pytest.fixture(scope="module")
def data(shop_home: Settings) -> TrainingData:
    return load_training_data(shop_home, DS, torch.device("cpu"))


@pytest.fixture
def trainer(data: TrainingData, tmp_path: Path) -> Callable[..., Trainer]:
    def build(preset: Preset = PRESET, folder: str = "a") -> Trainer:
        return build_trainer(data, preset, tmp_path / folder, torch.device("cpu"))

    return build


@pytest.mark.parametrize("switches", [{}, {"average": 0.8, "adversarial": 0.1}])
def test_an_interrupted_job_goes_on_with_the_same_curve(
    trainer: Callable[..., Trainer], switches: dict[str, float]
) -> None:
    preset = replace(PRESET, **switches)
    whole = trainer(preset, "whole")
    expected = whole.fit()

    def stop_after_two(progress: Progress) -> None:
        if progress.epoch == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        trainer(preset, "broken").fit(stop_after_two)
    resumed = trainer(preset, "broken")
    found = resumed.fit()
    assert found.epoch == 4
    assert found.steps == expected.steps
    assert found.curve == expected.curve
    for name, weights in whole.model.state_dict().items():
        assert torch.equal(weights, resumed.model.state_dict()[name]), name


def test_training_learns(trainer: Callable[..., Trainer]) -> None:
    progress = trainer(replace(PRESET, epochs=6, steps_per_epoch=8)).fit()
    assert progress.curve[-1]["items"] < progress.curve[0]["items"] - 0.3


def test_it_stops_when_validation_stops_improving(trainer: Callable[..., Trainer]) -> None:
    # A rate of zero changes nothing, so no epoch is better than the first.
    progress = trainer(replace(PRESET, epochs=9, patience=2, learning_rate=0.0)).fit()
    assert (progress.epoch, progress.best_epoch) == (3, 1)


def test_the_best_weights_are_kept(trainer: Callable[..., Trainer]) -> None:
    built = trainer(replace(PRESET, epochs=3, learning_rate=0.0))
    before = {name: weights.clone() for name, weights in built.model.state_dict().items()}
    built.fit()
    for name, weights in built.model.state_dict().items():
        assert torch.equal(weights, before[name]), name


def test_a_checkpoint_of_another_preset_is_refused(trainer: Callable[..., Trainer]) -> None:
    trainer(replace(PRESET, epochs=1)).fit()
    with pytest.raises(ModelError, match="expected preset and data"):
        trainer(replace(PRESET, epochs=2)).fit()


def test_a_loss_that_is_not_finite_ends_training(trainer: Callable[..., Trainer]) -> None:
    built = trainer()
    with torch.no_grad():
        built.model.user.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="expected a finite validation loss"):
        built.fit()


def test_accumulation_changes_nothing_but_rounding(trainer: Callable[..., Trainer]) -> None:
    calm = replace(PRESET, dropout=0.0, epochs=1)
    whole = trainer(calm, "whole").fit()
    parts = trainer(replace(calm, accumulate=3), "parts").fit()
    assert parts.steps == pytest.approx(whole.steps, rel=1e-4)


def test_the_average_is_judged_and_kept(trainer: Callable[..., Trainer]) -> None:
    plain = trainer(PRESET, "plain")
    averaged = trainer(replace(PRESET, average=0.9), "averaged")
    # The average follows the same weights, so the training losses are the same.
    assert averaged.fit().steps == plain.fit().steps
    assert averaged.progress.curve != plain.progress.curve
    assert averaged.valid_loss()["total"] == pytest.approx(averaged.progress.best_loss)


def test_sampled_negatives_train_too(trainer: Callable[..., Trainer]) -> None:
    progress = trainer(replace(PRESET, epochs=6, steps_per_epoch=8, full_softmax=10, negatives=32)).fit()
    assert progress.curve[-1]["items"] < progress.curve[0]["items"] - 0.3


@pytest.mark.usefixtures("shop")
def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    job = "tests.unit.training.fitting.two_processes"
    launch = [sys.executable, "-m", "training.launch", "--nproc-per-node", "2"]
    for command, name in (
        ([*launch, "-m", "--", job], "two"),
        ([sys.executable, "-m", job], "one"),
    ):
        subprocess.run([*command, str(tmp_path / name)], cwd=PROJECT, check=True, timeout=300)
    one, two = load_file(tmp_path / "one"), load_file(tmp_path / "two")
    assert one.keys() == two.keys()
    for name, weights in one.items():
        # Sums of float32 in another order; AdamW turns noise in tiny gradients into small steps.
        assert np.allclose(weights, two[name], atol=2e-4), name
