"""The published chances: calibrated, in order over horizons, defined where labels tell nothing."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.errors import ModelError
from training.data.users import HEADS
from training.evaluation.metrics import auc, calibration_error
from training.propensity.fit_stack import StackRows, fit_propensities
from training.propensity.plain_models import INPUTS, Scale
from training.propensity.stack import (
    ALONE,
    FILE,
    Propensities,
    fit_mix,
    in_order,
    load_propensities,
    save_propensities,
    sigmoid,
)

pytestmark = pytest.mark.kernel

PURCHASE = HEADS.index("purchase_28d")


def window(rows: int, seed: int, as_of: int) -> StackRows:
    """Each input's first columns tell the labels; the transformer is twice too sure of itself."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(rows, len(INPUTS))).astype(np.float32)
    inputs[generator.random(inputs.shape) < 0.2] = np.nan
    true = np.nan_to_num(inputs[:, :1]) + generator.normal(size=(rows, len(HEADS)))
    labels = (generator.random(true.shape) < sigmoid(true)).astype(np.float32)
    noise = generator.normal(size=true.shape)
    return StackRows(inputs, labels, np.full(rows, as_of), (2 * true + noise).astype(np.float32))


@pytest.fixture(scope="module")
def fitted() -> Propensities:
    return fit_propensities(window(1500, 1, 100), window(1500, 2, 128), {})


def test_chances_mean_what_they_say(fitted: Propensities) -> None:
    later = window(4000, 3, 156)
    chances = fitted.apply(later.transformer, later.inputs)
    labels = later.labels[:, PURCHASE]
    assert calibration_error(labels, chances[:, PURCHASE]) < 0.06
    assert calibration_error(labels, sigmoid(later.transformer[:, PURCHASE])) > 0.08
    assert auc(labels, chances[:, PURCHASE]) > 0.7


def test_horizons_are_in_order(fitted: Propensities) -> None:
    later = window(500, 4, 156)
    found = dict(zip(HEADS, fitted.apply(later.transformer, later.inputs).T, strict=True))
    for act in ("click", "cart", "purchase", "return"):
        assert (found[f"{act}_7d"] <= found[f"{act}_28d"]).all()
    assert (found["churn_28d"] <= found["churn_7d"]).all()


def test_where_horizons_cross_both_get_the_mean() -> None:
    chances = np.full((1, len(HEADS)), 0.5)
    week, month = HEADS.index("purchase_7d"), PURCHASE
    chances[0, [week, month]] = 0.4, 0.2
    assert in_order(chances)[0, [week, month]] == pytest.approx([0.3, 0.3])


def test_labels_of_one_class_give_their_rate() -> None:
    train, valid = window(100, 1, 100), window(100, 2, 128)
    cart, click, back = (HEADS.index(name) for name in ("cart_7d", "click_28d", "return_7d"))
    valid.labels[:, back] = 0  # one class in the later window
    valid.labels[:, cart] = np.nan  # not known there
    train.labels[:, click] = 1  # one class in training: the transformer alone is left
    fitted = fit_propensities(train, valid, {"churn_28d": 0.25})
    assert fitted.constant == {"churn_28d": 0.25, "return_7d": 0.0, "cart_7d": 0.0}
    assert fitted.heads[click].plain is None
    chances = fitted.apply(valid.transformer, valid.inputs)
    assert (chances[:, cart] == 0).all()
    assert np.isfinite(chances).all()
    assert auc(valid.labels[:, click], chances[:, click]) > 0.7


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_hardly_any_rows_leave_chances_finite(rows: int) -> None:
    fitted = fit_propensities(window(rows, 1, 100), window(rows, 2, 128), {})
    later = window(20, 3, 156)
    assert np.isfinite(fitted.apply(later.transformer, later.inputs)).all()


def test_inputs_that_are_never_defined_tell_nothing() -> None:
    train, valid, later = window(200, 1, 100), window(200, 2, 128), window(50, 3, 156)
    for rows in (train, valid):
        rows.inputs[:, 5] = np.nan
    fitted = fit_propensities(train, valid, {})
    later.inputs[:, 5] = np.nan
    without = fitted.apply(later.transformer, later.inputs)
    later.inputs[:, 5] = 1e6
    assert np.isfinite(without).all()
    assert np.allclose(without, fitted.apply(later.transformer, later.inputs))


def test_an_input_beyond_what_training_saw_counts_as_the_nearest() -> None:
    scale = Scale.of(np.array([[0.0], [2.0], [np.nan]], np.float32))
    assert scale.apply(np.array([[2.0], [50.0]]))[:, 0].tolist() == pytest.approx([1.2247] * 2, rel=1e-3)


def test_privacy_leaves_the_transformer_alone() -> None:
    fitted = fit_propensities(window(200, 1, 100), window(200, 2, 128), {}, private=True)
    assert all(head.plain is None for head in fitted.heads)
    later = window(300, 3, 156)
    assert auc(later.labels[:, 0], fitted.apply(later.transformer, later.inputs)[:, 0]) > 0.7


def test_a_mix_undoes_scale_and_shift() -> None:
    generator = np.random.default_rng(0)
    true = generator.normal(size=20_000) - 1
    labels = (generator.random(len(true)) < sigmoid(true)).astype(np.float32)
    nothing = np.zeros(len(true))
    mix = fit_mix(np.stack([2 * true + 1, nothing, nothing], axis=1), labels, ALONE)
    assert mix.weights[0] == pytest.approx(0.5, abs=0.05)
    assert mix.bias == pytest.approx(-0.5, abs=0.1)


def test_they_come_back_from_their_folder(fitted: Propensities, tmp_path: Path) -> None:
    save_propensities(fitted, tmp_path)
    later = window(50, 5, 156)
    back = load_propensities(tmp_path).apply(later.transformer, later.inputs)
    assert np.array_equal(back, fitted.apply(later.transformer, later.inputs))
    text = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(text.replace('"return_7d"', '"return_9d"'))
    with pytest.raises(ModelError, match=r"expected the heads .*return_7d.*return_9d.*train again"):
        load_propensities(tmp_path)
