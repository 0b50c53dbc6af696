"""Calibrated probabilities, and labels of one class."""

import numpy as np
import pytest

from training.calibration import fit_calibration, sigmoid
from training.examples import HEADS
from training.metrics import calibration_error

WEEK, MONTH = HEADS.index("purchase_7d"), HEADS.index("purchase_28d")


def overconfident(rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are twice as far from zero as they should be, and shifted."""
    generator = np.random.default_rng(0)
    true = generator.normal(size=(rows, len(HEADS)))
    labels = (generator.random(true.shape) < sigmoid(true)).astype(np.float32)
    return 2 * true + 1, labels


def test_it_undoes_scale_and_shift() -> None:
    logits, labels = overconfident()
    fitted = fit_calibration(logits, labels, {})
    chances = fitted.apply(logits)
    assert np.allclose(fitted.slope, 0.5, atol=0.08)
    assert calibration_error(labels[:, 0], chances[:, 0]) < 0.03
    assert calibration_error(labels[:, 0], sigmoid(logits[:, 0])) > 0.08


def test_a_week_is_never_likelier_than_a_month() -> None:
    logits, labels = overconfident()
    chances = fit_calibration(logits, labels, {}).apply(logits)
    assert (chances[:, WEEK] <= chances[:, MONTH]).all()


def test_labels_of_one_class_give_their_rate() -> None:
    logits, labels = overconfident(50)
    labels[:, HEADS.index("return_28d")] = 0
    labels[:, HEADS.index("cart_7d")] = np.nan
    fitted = fit_calibration(logits, labels, {"churn_28d": 1.0})
    assert fitted.constant == {"churn_28d": 1.0, "return_28d": 0.0, "cart_7d": 0.0}
    chances = fitted.apply(logits)
    assert (chances[:, HEADS.index("churn_28d")] == 1).all()
    assert (chances[:, HEADS.index("return_28d")] == 0).all()
    assert np.isfinite(chances).all()


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_rows_leave_probabilities_finite(rows: int) -> None:
    logits, labels = overconfident(rows)
    assert np.isfinite(fit_calibration(logits, labels, {}).apply(np.zeros((3, len(HEADS))))).all()
