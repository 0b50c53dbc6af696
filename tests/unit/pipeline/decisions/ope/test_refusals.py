"""Bad rows are refused by number; sound logs that tell too little give a reason."""

import numpy as np
import pytest

from pipeline.decisions.ope.judge import compare, evaluate
from pipeline.decisions.ope.log import Log, check_probabilities
from pipeline.runtime.errors import FeedbackError

ARMS = ("a", "b", "c")
UNIFORM = np.full((1, 3), 1 / 3)


def log(rows: int = 900, **changes: object) -> Log:
    """A sound log of a uniform policy over three arms, every third impression a success."""
    arrays: dict[str, object] = {
        "action": np.arange(rows) % 3,
        "reward": (np.arange(rows) % 9 < 3).astype(float),
        "propensity": np.full(rows, 1 / 3),
    }
    return Log.checked(ARMS, **{**arrays, **changes})


@pytest.mark.parametrize("bad", [0.0, 1.2, np.nan, -0.1])
def test_a_propensity_that_is_none_is_refused_by_row(bad: float) -> None:
    propensity = np.full(900, 1 / 3)
    propensity[[41, 77]] = bad
    with pytest.raises(FeedbackError, match=r"row 41: propensity: .*\(2 such rows\)"):
        log(propensity=propensity)


def test_a_row_is_named_by_its_number_in_the_whole_log() -> None:
    with pytest.raises(FeedbackError, match="row 503: reward: expected a finite number"):
        log(9, reward=np.array([0, 0, 0, np.inf, 0, 0, 0, 0, 0]), first_row=500)


def test_an_arm_that_vanished_is_refused() -> None:
    action = np.arange(900) % 3
    action[7] = 3
    with pytest.raises(FeedbackError, match=r"row 7: action: expected one of the 3 arms.*found 3"):
        log(action=action)


def test_a_logging_policy_that_contradicts_the_rows_is_refused() -> None:
    with pytest.raises(FeedbackError, match=r"row 0: propensity: expected what the logging policy"):
        log(logging=np.array([[0.5, 0.25, 0.25]]))
    with pytest.raises(FeedbackError, match="expected a row for stratum 1, found 1 strata"):
        log(logging=UNIFORM, stratum=np.arange(900) // 450)


def test_probabilities_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(FeedbackError, match=r"x, stratum 1: expected .* sum to 1, found 0.9"):
        check_probabilities("x", np.array([[0.5, 0.5, 0], [0.5, 0.3, 0.1]]), ARMS)
    with pytest.raises(FeedbackError, match=r"x, stratum 0, arm 'b'"):
        check_probabilities("x", np.array([[0.5, -0.1, 0.6]]), ARMS)
    with pytest.raises(FeedbackError, match="strata x 3 arms"):
        check_probabilities("x", np.array([[0.5, 0.5]]), ARMS)


def test_an_arm_never_shown_is_missing_support() -> None:
    shown = log(action=np.arange(900) % 2, propensity=np.full(900, 0.5))
    verdict = evaluate(shown, np.array([[0.5, 0.3, 0.2]]))
    assert verdict.refusal.startswith("support is missing: arm 'c' has 20.00% of the policy")
    assert not evaluate(shown, np.array([[0.5, 0.5, 0.0]])).refusal


def test_a_stratum_where_the_logging_policy_never_goes_is_missing_support() -> None:
    stratum = np.arange(900) // 450
    logging = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0.0]])
    action = np.where(stratum == 0, np.arange(900) % 3, np.arange(900) % 2)
    known = log(action=action, stratum=stratum, logging=logging, propensity=logging[stratum, action])
    refusal = evaluate(known, np.full((2, 3), 1 / 3)).refusal
    assert "16.67% of the policy lies where the logging policy has probability 0" in refusal
    assert not evaluate(known, logging).refusal


def test_missing_support_shows_in_the_mean_weight_where_the_logging_policy_is_unknown() -> None:
    stratum = np.arange(900) // 450
    action = np.where(stratum == 0, np.arange(900) % 3, np.arange(900) % 2)
    hidden = log(action=action, stratum=stratum, propensity=np.where(stratum == 0, 1 / 3, 0.5))
    assert "weights average 0.833" in evaluate(hidden, np.full((2, 3), 1 / 3)).refusal


def test_a_small_effective_sample_is_refused() -> None:
    rows, rare = 3_000, np.arange(3_000) % 100 == 0
    rarely = log(rows, action=np.where(rare, 2, 0), propensity=np.where(rare, 0.01, 0.99))
    verdict = evaluate(rarely, np.array([[0.0, 0.0, 1.0]]))
    assert verdict.diagnostics.effective_rows == pytest.approx(30)
    assert verdict.refusal.startswith("the effective sample is too small: 30.0 of 3,000")


def test_a_comparison_says_whose_support_is_missing() -> None:
    shown = log(action=np.arange(900) % 2, propensity=np.full(900, 0.5))
    refusal = compare(shown, np.array([[0.5, 0.5, 0.0]]), UNIFORM).refusal
    assert refusal.startswith("champion: support is missing: arm 'c'")


def test_no_impressions_and_unknown_strata_are_refused() -> None:
    with pytest.raises(FeedbackError, match="found none"):
        evaluate(log(0), UNIFORM)
    with pytest.raises(FeedbackError, match="a row for stratum 1"):
        evaluate(log(stratum=np.ones(900, int)), UNIFORM, model=None)
