"""Ensembles, private heads and warm starts, as a preset asks for them."""

from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from tests.unit.training.factory import DS
from training.data.arrow import day_number
from training.fitting.data import TrainingData, load_training_data, rows_to_learn, with_news
from training.fitting.fit_model import Fitted, finish, fit
from training.model.model import TrainedModel, load, save
from training.network.network import Ensemble
from training.network.presets import PRESETS, Preset

CPU = torch.device("cpu")
PRESET = replace(PRESETS["tiny"], epochs=1, steps_per_epoch=3)
PRIVATE = replace(PRESET, heads_weight=0.0, epsilon=4.0, delta=1e-3, dp_users=40, dp_steps=5)


@pytest.fixture(scope="module")
def data(shop_home: Settings) -> TrainingData:
    return load_training_data(shop_home, DS, CPU)


@pytest.fixture(scope="module")
def pair(data: TrainingData, shop_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a published ensemble of two."""
    folder = tmp_path_factory.mktemp("pair")
    fitted = fit(data, replace(PRESET, seeds=2), folder / "checkpoints", CPU)
    assert isinstance(fitted.model, Ensemble)
    assert [progress.epoch for progress in fitted.progress] == [1, 1]
    save(finish(fitted.trainer, data, "r", shop_home, fitted.model), folder / "model")
    return folder / "model"


def weights(fitted: Fitted) -> dict[str, torch.Tensor]:
    return {name: w.clone() for name, w in fitted.model.state_dict().items()}


def test_an_ensemble_is_published_as_one_model(pair: Path, data: TrainingData) -> None:
    back = load(pair)
    assert isinstance(back.model, Ensemble)
    first, second = (back.model.member(number) for number in (0, 1))
    assert not torch.equal(first.text.weight, second.text.weight)
    items, _ = back.item_vectors(data.catalogue)
    assert items.shape[1] == 2 * PRESET.width
    alone = [replace(back, model=member).item_vectors(data.catalogue)[0] for member in (first, second)]
    assert torch.equal(items, torch.cat(alone, dim=1))


def test_labels_reach_nothing_but_private_heads(data: TrainingData, tmp_path: Path) -> None:
    flipped = replace(data, examples=replace(data.examples, labels=1 - data.examples.labels))
    preset = replace(PRIVATE, adversarial=0.1, epsilon=inf)
    one = fit(data, preset, tmp_path / "one", CPU)
    two = fit(flipped, preset, tmp_path / "two", CPU)
    assert one.privacy is not None
    for name, values in weights(one).items():
        same = torch.equal(values, weights(two)[name])
        assert same != name.startswith("heads."), name


def test_the_epsilon_that_was_spent_is_told(data: TrainingData, tmp_path: Path) -> None:
    privacy = fit(data, PRIVATE, tmp_path, CPU).privacy
    assert privacy is not None
    users = len(set(data.examples.users.filter(data.examples.is_train).to_pylist()))
    assert (privacy.users, privacy.sample_rate, privacy.steps) == (users, 40 / users, 5)
    assert 3.5 < privacy.epsilon <= 4.0
    assert privacy.noise > 0.3


@pytest.mark.parametrize("change", [{"heads_weight": 1.0}, {"seeds": 2}])
def test_privacy_that_would_not_hold_is_refused(change: dict[str, float], data: TrainingData, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected heads_weight 0 and one seed with an epsilon"):
        fit(data, replace(PRIVATE, **change), tmp_path, CPU)


def test_news_are_events_that_arrived_later(data: TrainingData) -> None:
    after = data.last_day - 3
    found = with_news(data.examples, after, data.last_day)
    past, future = data.examples.past, data.examples.future
    for row in range(len(data.examples)):
        seen = list(past.arrival[past.offsets[row] : past.offsets[row + 1]])
        if data.examples.is_train[row]:
            seen += list(future.arrival[future.offsets[row] : future.offsets[row + 1]])
        assert found[row] == any(after < day <= data.last_day for day in seen), row
    assert 0 < found.sum() < len(found)


def started(data: TrainingData, pair: Path, learned_to: int) -> TrainingData:
    start = load(pair)
    start.card = replace(start.card, learned_to=learned_to)
    return replace(data, start=start)


def test_a_warm_start_takes_news_and_a_share_of_the_rest(data: TrainingData, pair: Path) -> None:
    late = started(data, pair, data.last_day - 3)
    news = with_news(data.examples, data.last_day - 3, data.last_day)
    none, some, every = (rows_to_learn(late, replace(PRESET, replay=share)) for share in (0.0, 0.5, 1.0))
    assert none.tolist() == np.flatnonzero(news).tolist()
    assert set(none) < set(some) < set(every)
    assert len(every) == len(data.examples)
    older = len(every) - len(none)
    assert 0.35 * older < len(some) - len(none) < 0.65 * older
    # Without an earlier model there is nothing to replay against: all rows.
    assert len(rows_to_learn(data, replace(PRESET, replay=0.0))) == len(every)


def test_a_warm_start_goes_on_from_each_member_and_tells_what_was_forgotten(
    data: TrainingData, pair: Path, tmp_path: Path
) -> None:
    warm = PRESET.warm()
    assert (warm.epochs, warm.replay) == (1, 0.25)
    late, idle = started(data, pair, data.last_day), replace(warm, seeds=2, learning_rate=0.0)
    still = fit(late, idle, tmp_path / "still", CPU)
    assert still.forgetting == {"items": 0.0, "heads": 0.0, "total": 0.0}
    for name, values in load(pair).model.state_dict().items():
        assert torch.equal(values, still.model.state_dict()[name]), name
    early, quick = started(data, pair, data.last_day - 3), replace(warm, learning_rate=0.05)
    moved = fit(early, quick, tmp_path / "moved", CPU)
    assert moved.forgetting["items"] != 0


def test_nothing_new_and_no_replay_leaves_the_champion(data: TrainingData, pair: Path, tmp_path: Path) -> None:
    preset: Preset = replace(PRESET.warm(), replay=0.0)
    fitted = fit(started(data, pair, data.last_day), preset, tmp_path, CPU)
    assert fitted.progress[0].steps == []
    assert fitted.forgetting["total"] == 0.0


def test_an_earlier_model_stays_when_no_epoch_is_better(data: TrainingData, pair: Path, tmp_path: Path) -> None:
    wild = replace(PRESET.warm(), learning_rate=3.0, replay=1.0)
    fitted = fit(started(data, pair, 0), wild, tmp_path, CPU)
    assert (fitted.progress[0].epoch, fitted.progress[0].best_epoch) == (1, 0)
    assert fitted.forgetting["total"] == 0.0


def test_the_card_tells_how_far_the_model_has_looked(pair: Path, data: TrainingData) -> None:
    found: TrainedModel = load(pair)
    assert found.card.learned_to == data.last_day == day_number(DS) - 56
