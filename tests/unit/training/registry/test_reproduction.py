"""Reading a recipe back, and comparing figures within a tolerance."""

from dataclasses import asdict, replace
from math import inf, nan

import pytest

from pipeline.runtime.errors import ModelError
from training.network.presets import PRESETS
from training.registry.origins import differences, preset_of


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_logged_preset_comes_back(name: str) -> None:
    preset = replace(PRESETS[name], epsilon=inf, bf16=True, learning_rate=1e-4)
    logged = {f"preset.{field}": str(value) for field, value in asdict(preset).items()}
    assert preset_of({**logged, "data.items": "7"}) == preset


def test_choices_made_since_are_as_by_default_and_unknown_ones_refused() -> None:
    assert preset_of({"preset.name": "old", "preset.width": "8"}).average == 0.0
    with pytest.raises(ModelError, match="this code knows, found colour, shape; check out"):
        preset_of({"preset.name": "new", "preset.shape": "round", "preset.colour": "red"})


def test_differences_are_relative_down_to_a_floor() -> None:
    expected = {"valid/items": 4.0, "test/a/ndcg_10": 0.05, "test/b/auc": 0.7, "job/seconds": 90.0}
    close = {"valid/items": 4.03, "test/a/ndcg_10": 0.0509, "test/b/auc": 0.7, "job/seconds": 5.0}
    assert differences(expected, close, 0.01) == []
    far = {**close, "valid/items": 4.05, "test/a/ndcg_10": 0.0511}
    found = [str(difference) for difference in differences(expected, far, 0.01)]
    assert found == [
        "test/a/ndcg_10 expected 0.05, found 0.0511",
        "valid/items expected 4, found 4.05",
    ]


def test_what_is_undefined_or_missing() -> None:
    assert differences({"test/x/auc": nan}, {"test/x/auc": nan}, 0.01) == []
    missing = differences({"test/x/auc": nan, "test/y/auc": 0.5}, {}, 0.01)
    assert [difference.metric for difference in missing] == ["test/x/auc", "test/y/auc"]
