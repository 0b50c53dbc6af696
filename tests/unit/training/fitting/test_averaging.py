"""The moving average of weights, against values worked out by hand."""

import pytest
import torch
from torch import nn

from training.fitting.learner import MovingAverage


def one_weight(value: float) -> nn.Module:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, value)
    return layer


def set_to(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        next(model.parameters()).fill_(value)


def test_early_steps_count_more_than_the_decay_says() -> None:
    model = one_weight(0.0)
    average = MovingAverage(model, decay=0.15)
    set_to(model, 1.0)
    average.update()  # decay 1 / 10: 0.1 x 0 + 0.9 x 1
    assert average.state()["weight"].item() == pytest.approx(0.9)
    set_to(model, 2.0)
    average.update()  # 2 / 11 is above 0.15: 0.15 x 0.9 + 0.85 x 2
    assert average.state()["weight"].item() == pytest.approx(1.835)


def test_the_average_stands_in_and_the_weights_come_back() -> None:
    model = one_weight(4.0)
    average = MovingAverage(model, decay=0.5)
    set_to(model, 8.0)
    average.update()
    with pytest.raises(RuntimeError, match="in between"), average.in_place():
        assert next(model.parameters()).item() == pytest.approx(7.6)
        raise RuntimeError("in between")
    assert next(model.parameters()).item() == 8.0


def test_without_decay_there_is_no_average() -> None:
    model = one_weight(1.0)
    average = MovingAverage(model, decay=0.0)
    set_to(model, 3.0)
    average.update()
    assert average.state() == {}
    with average.in_place():
        assert next(model.parameters()).item() == 3.0


def test_a_restored_average_goes_on_as_if_nothing_had_happened() -> None:
    model = one_weight(0.0)
    whole, broken = MovingAverage(model, 0.9), MovingAverage(model, 0.9)
    for value in (1.0, 5.0):
        set_to(model, value)
        whole.update()
        broken.update()
    resumed = MovingAverage(model, 0.9)
    resumed.restore(broken.state(), steps=2)
    set_to(model, -3.0)
    whole.update()
    resumed.update()
    assert torch.equal(whole.state()["weight"], resumed.state()["weight"])
