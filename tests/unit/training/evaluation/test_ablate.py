"""Each group of switches, on the small shop: that the table says what was switched."""

from dataclasses import replace
from math import isnan
from pathlib import Path

import pytest

from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings
from tests.unit.training.factory import DS
from training import ablate
from training.data.scope import EVERYTHING
from training.evaluation.trial_table import table
from training.evaluation.trials import Trial, TrialWindow, trial_data, trial_window
from training.network.presets import PRESETS

PRESET = replace(PRESETS["tiny"], epochs=1, steps_per_epoch=2, dp_steps=3, dp_users=30, delta=1e-3)


@pytest.fixture(scope="module")
def window(shop_home: Settings) -> TrialWindow:
    return trial_window(shop_home, DS, EVERYTHING, PRESET)


def by_name(trials: list[Trial]) -> dict[str, Trial]:
    return {trial.name: trial for trial in trials}


def outcome(trial: Trial) -> tuple[float, ...]:
    figures = trial.figures()
    return figures["ndcg_10"], figures["recall_10"], figures["log_loss_purchase_28d"]


def test_every_switch_has_a_row(shop_home: Settings, window: TrialWindow, tmp_path: Path) -> None:
    data = trial_data(shop_home, DS, EVERYTHING)
    trials = by_name(ablate.robust(data, PRESET, window, tmp_path))
    assert list(trials) == list(ablate.SWITCHES)
    plain, three = trials["as_it_is"], trials["ensemble_of_3"]
    assert (three.epochs, three.parameters) == (3, 3 * plain.parameters)
    # What one epoch of two steps cannot show stays the same.
    still = {name for name, trial in trials.items() if outcome(trial) == outcome(plain)}
    assert still == {"as_it_is", "no_warm_up", "no_early_stopping"}
    text = table(list(trials.values()), "as_it_is").splitlines()
    assert len(text) == 2 + len(ablate.SWITCHES)
    # Tried again, finished trainings are taken up: their cost is what it was.
    again = by_name(ablate.robust(data, PRESET, window, tmp_path))
    assert outcome(again["average"]) == outcome(trials["average"])
    assert again["average"].seconds == trials["average"].seconds > 0


def test_private_heads_stand_on_one_backbone(shop_home: Settings, window: TrialWindow, tmp_path: Path) -> None:
    data = trial_data(shop_home, DS, EVERYTHING)
    trials = by_name(ablate.privacy(data, PRESET, window, tmp_path))
    assert list(trials) == ["as_it_is", "epsilon_inf", "epsilon_8", "epsilon_2"]
    rankings = {name: trial.figures()["ndcg_10"] for name, trial in trials.items()}
    assert rankings["epsilon_inf"] == rankings["epsilon_8"] == rankings["epsilon_2"]
    losses = {name: trial.quality.log_loss["purchase_28d"] for name, trial in trials.items()}
    assert losses["epsilon_inf"] != losses["epsilon_2"]
    assert not any(map(isnan, losses.values()))


def test_an_earlier_model_is_wanted_for_warm_starts_alone(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (["--group", "warm"], ["--group", "robust", "--init", "1"]):
        monkeypatch.setattr("sys.argv", ["ablate", "--ds", DS, "--preset", "tiny", *arguments])
        with pytest.raises(UsageError, match="--init: expected with --group warm, and only there"):
            ablate.main()
