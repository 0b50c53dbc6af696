"""Every estimator against values computed by hand, and against a plain loop over the rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decisions.ope.estimators import sums_of
from pipeline.decisions.ope.judge import compare, evaluate
from pipeline.decisions.ope.log import Log
from pipeline.decisions.ope.reward_model import FOLDS, MeanModel, fit_means, fold_of
from pipeline.decisions.ope.tally import THRESHOLDS, tally

ARMS = ("a", "b")
POLICY = np.array([[0.75, 0.25]])
MODEL = MeanModel(np.full((2, 1, 2), [0.6, 0.2]))
# w = 1.5, 1, 0.9375, 0.5
LOG = Log.checked(ARMS, np.array([0, 1, 0, 1]), np.array([1.0, 0, 0, 1]), np.array([0.5, 0.25, 0.8, 0.5]))


def test_by_hand() -> None:
    found = evaluate(LOG, POLICY, MODEL).estimates
    assert found["ips"].value == pytest.approx((1.5 + 0.5) / 4)
    assert found["snips"].value == pytest.approx(2 / 3.9375)
    assert found["direct"].value == pytest.approx(0.75 * 0.6 + 0.25 * 0.2)
    # w (r - q) = 0.6, -0.2, -0.5625, 0.4
    assert found["doubly_robust"].value == pytest.approx(0.5 + 0.2375 / 4)


def test_standard_errors_by_hand() -> None:
    found = evaluate(LOG, POLICY, MODEL).estimates
    # w r = 1.5, 0, 0, 0.5 about 0.5: squares 1, 0.25, 0.25, 0
    assert found["ips"].error == pytest.approx(np.sqrt(1.5 / 3 / 4))
    low, high = found["ips"].normal
    assert (low + high) / 2 == pytest.approx(0.5)
    assert high - low == pytest.approx(2 * 1.959964 * found["ips"].error)
    # the model is the same for all rows, yet off: by what doubly robust corrects it by, and by that correction's error
    corrections = np.array([0.6, -0.2, -0.5625, 0.4])
    robust = corrections.std(ddof=1) / 2
    assert found["doubly_robust"].error == pytest.approx(robust)
    assert found["direct"].error == pytest.approx(np.hypot(robust, corrections.mean()))
    snips = 2 / 3.9375
    residual = np.array([1.5 * (1 - snips), -snips, -0.9375 * snips, 0.5 * (1 - snips)])
    assert found["snips"].error == pytest.approx(np.sqrt((residual**2).sum() * 4 / 3) / 3.9375)


def test_switch_takes_the_models_word_above_the_threshold() -> None:
    sums = tally([LOG], POLICY, MODEL)
    at_one = sums.sums[:, 3] + sums.sums[:, 5 + THRESHOLDS.index(1.0)]
    assert at_one.sum() / 4 == pytest.approx(0.5 + (-0.2 - 0.5625 + 0.4) / 4)
    top, rows = sums_of("switch_dr", sums)
    # 3/8 of the weight lies above 1: a bias bound of .375; the variance at 2 is .26 ** 2
    assert top.sum() / rows.sum() == pytest.approx(0.559375)


def test_diagnostics_by_hand() -> None:
    found = evaluate(LOG, POLICY, MODEL).diagnostics
    squares = 1.5**2 + 1 + 0.9375**2 + 0.25
    assert found.effective_rows == pytest.approx(3.9375**2 / squares)
    assert (found.rows, found.largest_weight) == (4, 1.5)
    assert found.mean_weight == pytest.approx(3.9375 / 4)
    assert found.above == {1.0: (0.25, pytest.approx(1.5 / 3.9375))}


def test_clipping_says_what_it_takes_away() -> None:
    found = evaluate(LOG, POLICY, MODEL, clip=1.2)
    assert found.estimates["ips"].value == pytest.approx((1.2 + 0.5) / 4)
    assert found.diagnostics.clipped_rows == 0.25
    assert found.diagnostics.clipped_weight == pytest.approx(0.3 / 3.9375)


def test_the_logging_policy_itself_is_worth_the_logs_mean() -> None:
    log = Log.checked(ARMS, LOG.action, LOG.reward, np.full(4, 0.5))
    found = evaluate(log, np.array([[0.5, 0.5]]), MODEL).estimates
    assert found["ips"].value == found["snips"].value == pytest.approx(0.5)
    gain = compare(log, np.array([[0.5, 0.5]]), np.array([[0.5, 0.5]]), MODEL).estimates
    assert {(it.value, it.error) for it in gain.values()} == {(0.0, 0.0)}


def test_a_gain_is_paired_by_row() -> None:
    found = compare(LOG, POLICY, np.array([[0.5, 0.5]]), MODEL).estimates["ips"]
    weights = np.array([1.5 - 1, 1 - 2, 0.9375 - 0.625, 0.5 - 1]) * LOG.reward
    assert found.value == pytest.approx(weights.mean())
    assert found.error == pytest.approx(weights.std(ddof=1) / 2)


def test_means_are_learned_from_the_other_half_and_shrunk() -> None:
    assert fold_of(LOG).tolist() == [0, 1, 1, 1]
    # rows 1 to 3 (b: 0, a: 0, b: 1) teach what row 0 is predicted with
    arm_a, arm_b = (0 + 20 / 3) / 21, (1 + 20 / 3) / 22
    learned = fit_means([LOG], 1).tables[0, 0]
    assert learned == pytest.approx([20 * arm_a / 21, (1 + 20 * arm_b) / 22])


rows = st.tuples(st.integers(0, 2), st.floats(-1, 2), st.floats(0.05, 1.0), st.integers(0, 1))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(rows, min_size=2, max_size=40),
    st.integers(1, 40),
    st.lists(st.floats(0.1, 1), min_size=6, max_size=6),
)
def test_equals_a_plain_loop_however_the_log_is_cut(logged, size, shares) -> None:
    table = np.array(shares).reshape(2, 3)
    policy = table / table.sum(axis=1, keepdims=True)
    action, reward, propensity, stratum = (np.array(it) for it in zip(*logged, strict=True))
    log = Log.checked(("a", "b", "c"), action, reward, propensity, stratum)
    model = fit_means([log], 2)
    chunks = [log.rows(slice(at, at + size)) for at in range(0, len(log), size)]
    found = evaluate(chunks, policy, fit_means(chunks, 2)).estimates
    ips = direct = residual = weights = 0.0
    for row in range(len(log)):
        q = model.tables[fold_of(log)[row], stratum[row]]
        weight = policy[stratum[row], action[row]] / propensity[row]
        ips, weights = ips + weight * reward[row], weights + weight
        direct += float(policy[stratum[row]] @ q)
        residual += weight * (reward[row] - q[action[row]])
    assert found["ips"].value == pytest.approx(ips / len(log), abs=1e-9)
    assert found["snips"].value == pytest.approx(ips / weights, abs=1e-9)
    assert found["direct"].value == pytest.approx(direct / len(log), abs=1e-9)
    assert found["doubly_robust"].value == pytest.approx((direct + residual) / len(log), abs=1e-9)


def test_doubly_robust_without_a_model_is_ips() -> None:
    found = evaluate(LOG, POLICY, MeanModel(np.zeros((FOLDS, 1, 2)))).estimates
    assert found["doubly_robust"].value == pytest.approx(found["ips"].value)
