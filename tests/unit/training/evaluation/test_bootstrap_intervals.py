"""Intervals: what they hold, and that a difference is paired."""

import numpy as np
import pytest

from training.evaluation import intervals as bootstrap
from training.evaluation.intervals import gain_of_metric, interval, intervals, of_metric
from training.evaluation.metrics import auc


def test_the_mean_stands_in_its_interval_and_nan_is_left_out() -> None:
    middle, low, high = interval(np.array([0.0, 1.0, np.nan, 1.0]))
    assert middle == pytest.approx(2 / 3)
    assert low < middle < high
    assert np.isnan(interval(np.array([np.nan]))).all()
    assert np.isnan(interval(np.zeros(0))).all()


def test_as_wide_as_theory_says() -> None:
    # 400 coin flips: standard error .025, so the interval is about .1 wide.
    middle, low, high = interval(np.arange(400) % 2)
    assert middle == 0.5
    assert high - low == pytest.approx(2 * 1.96 * 0.025, rel=0.1)


def test_metrics_share_their_draws_so_a_constant_gain_has_no_width() -> None:
    base = np.random.default_rng(1).random(50)
    found = intervals({"new": base + 0.25, "old": base, "gain": base + 0.25 - base})
    assert found["gain"] == pytest.approx((0.25, 0.25, 0.25))
    assert found["new"][1] - found["old"][1] == pytest.approx(0.25)


def test_a_metric_that_is_no_mean() -> None:
    labels, chances = np.arange(60) % 2, np.arange(60) / 60
    middle, low, high = of_metric(auc, labels, chances, 100)
    assert middle == auc(labels, chances)
    assert low < middle < high
    assert np.isnan(of_metric(auc, np.ones(5), np.ones(5), 10)).all()
    assert gain_of_metric(auc, labels, chances, chances, 100) == (0.0, 0.0, 0.0)


def test_very_many_users_take_fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(400) % 2
    monkeypatch.setattr(bootstrap, "MOST_DRAWN", 400 * 50)
    _, low, high = interval(values)
    assert high - low == pytest.approx(2 * 1.96 * 0.025, rel=0.4)
    asked = []

    def figure(labels: np.ndarray, chances: np.ndarray) -> float:
        asked.append(len(labels))
        return 0.0

    of_metric(figure, values, values, 1000)
    assert asked == [400] * 51


def test_of_very_many_users_intervals_are_normal_and_agree_with_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    labels = generator.integers(0, 2, 3_000)
    chances = 0.3 * labels + generator.random(3_000)
    values = {"hit": labels.astype(float), "some": np.where(generator.random(3_000) < 0.1, chances, np.nan)}
    drawn, of_auc = intervals(values, 2_000), of_metric(auc, labels, chances, 400)
    monkeypatch.setattr(bootstrap, "MANY", 2_999)
    normal, normal_of_auc = intervals(values, 2_000), of_metric(auc, labels, chances, 400)
    for one, other in [(drawn["hit"], normal["hit"]), (drawn["some"], normal["some"]), (of_auc, normal_of_auc)]:
        assert one[0] == pytest.approx(other[0])
        assert other[2] - other[1] == pytest.approx(one[2] - one[1], rel=0.12)
    for middle, low, high in (normal["hit"], normal_of_auc):
        assert middle - low == pytest.approx(high - middle)
    assert np.isnan(intervals({"nobody": np.full(3_000, np.nan)})["nobody"]).all()


def test_of_a_question_that_few_were_asked_the_few_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    few = np.full(3_000, np.nan)
    few[:40] = np.arange(40) % 2
    drawn = interval(few[:40])
    monkeypatch.setattr(bootstrap, "MANY", 2_999)
    assert intervals({"few": few})["few"] == drawn
