"""What a training step sees: never anything after the moment it must foretell from."""

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.factory import embeddings, examples
from training.data.catalogue import Catalogue, build_catalogue
from training.data.draws import uniform
from training.data.users import Examples, to_examples
from training.fitting.targets import TargetDraws
from training.network.inputs import tokens
from training.network.presets import PRESETS

PRESET = replace(PRESETS["tiny"], events=6, targets=16)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return build_catalogue(embeddings(40))


@pytest.fixture(scope="module")
def shop(catalogue: Catalogue) -> Examples:
    folds = {"valid": -56, "train": -70}
    return to_examples(examples(60, 40, folds), catalogue)


@pytest.fixture(scope="module")
def draws(shop: Examples) -> TargetDraws:
    return TargetDraws(shop, PRESET, int(shop.as_of[~shop.is_train].max()))


def test_tokens_are_the_newest_events_after_the_opening_position(shop: Examples, catalogue: Catalogue) -> None:
    rows = np.arange(len(shop))
    read = tokens(shop.past, rows, catalogue, PRESET.events)
    for row in rows:
        items = shop.past.item[shop.past.offsets[row] : shop.past.offsets[row + 1]]
        last = min(len(items), PRESET.events)
        assert read.last[row] == last
        assert read.item[row, 1 : last + 1].tolist() == items[-last:].tolist()
        assert (read.item[row, last + 1 :] == -1).all()
        assert read.item[row, 0] == -1


def test_targets_of_training_rows_lie_after_their_cut_off_and_not_after_validation(
    shop: Examples, draws: TargetDraws
) -> None:
    rows = np.flatnonzero(shop.is_train)
    found = draws.training(rows, epoch=1)
    assert found.counts.any()
    for place, row in enumerate(rows):
        span = slice(shop.future.offsets[row], shop.future.offsets[row + 1])
        known = shop.future.day[span] <= draws.last_day
        assert set(found.item[place][found.counts[place]]) <= set(shop.future.item[span][known])
        assert found.counts[place].any() == bool((known & shop.future.engaged[span]).any())


def test_targets_within_a_history_lie_on_later_days_than_their_position(
    shop: Examples, draws: TargetDraws, catalogue: Catalogue
) -> None:
    rows = np.flatnonzero(~shop.is_train)
    found = draws.training(rows, epoch=1)
    assert found.counts.any()
    for place, row in enumerate(rows):
        start, end = shop.past.offsets[row], shop.past.offsets[row + 1]
        first = end - min(end - start, PRESET.events)
        for slot in np.flatnonzero(found.counts[place]):
            day = shop.past.day[first + found.position[place, slot] - 1]
            later = (shop.past.day[start:end] > day) & (shop.past.day[start:end] <= day + 28)
            assert found.item[place, slot] in shop.past.item[start:end][later]


def test_draws_do_not_depend_on_the_batch(draws: TargetDraws) -> None:
    whole = draws.training(np.arange(20), epoch=3)
    part = draws.training(np.array([13, 4]), epoch=3)
    assert (part.item == whole.item[[13, 4]]).all()
    assert (draws.training(np.arange(20), epoch=4).item != whole.item).any()


def test_uniform_draws_are_uniform() -> None:
    drawn = uniform(7, 1, np.arange(200_000))
    counts = np.histogram(drawn, bins=10, range=(0, 1))[0]
    # 20,000 expected per bin with a standard deviation of 134: five of them.
    assert np.abs(counts - 20_000).max() < 670
