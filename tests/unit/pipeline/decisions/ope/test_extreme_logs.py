"""Logs as softmax servers and anonymous traffic write them: refused with column and row, never averaged."""

import warnings
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.decisions.ope.arrow_log import log_of
from pipeline.decisions.ope.judge import Verdict, compare, evaluate
from pipeline.decisions.ope.log import LEAST_PROPENSITY, MOST_REWARD, Log
from pipeline.decisions.ope.reward_model import MeanModel
from pipeline.runtime.errors import FeedbackError

ARMS, ROWS = ("red", "blue"), 2000
HALF, RED, BLUE = np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]]), np.array([[0.1, 0.9]])
NINE = datetime(2026, 3, 31, 9, tzinfo=UTC)


def logged(**changes: object) -> dict[str, object]:
    """2,000 impressions of a known logger (0.8 / 0.2), with columns changed."""
    rng = np.random.default_rng(7)
    action = rng.choice(ARMS, ROWS, p=[0.8, 0.2])
    reward = (rng.random(ROWS) < np.where(action == "red", 0.10, 0.11)).astype(float)
    columns = {"action": action.tolist(), "reward": reward, "propensity": np.where(action == "red", 0.8, 0.2)}
    return {**columns, **changes}


def with_one(column: str, value: object, row: int = 7) -> dict[str, object]:
    values = list(logged()[column])  # type: ignore[call-overload]
    values[row] = value
    return logged(**{column: values})


def refusal(columns: dict[str, object]) -> str:
    with pytest.raises(FeedbackError) as caught:
        log_of(pa.table(columns), ARMS)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("propensity", [1e-200, 5e-324, LEAST_PROPENSITY / 2])
def test_a_propensity_that_underflowed_is_named(propensity: float) -> None:
    message = refusal(with_one("propensity", propensity))
    assert message.startswith("log, row 7: propensity: expected a probability of at least 1e-12")
    assert f"found {propensity!r} (1 such rows)" in message


def test_the_rarest_propensity_leaves_every_figure_a_number() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log, _ = log_of(pa.table(with_one("propensity", LEAST_PROPENSITY)), ARMS)
        verdict = evaluate(log, HALF)
    assert verdict.refusal.startswith("the effective sample is too small: 1.0 of 2,000")
    assert np.isfinite([it.value for it in verdict.estimates.values()]).all()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("propensity", 0.0, "log, row 7: propensity: expected a probability above 0 and at most 1, found 0.0"),
        ("propensity", -0.2, "log, row 7: propensity: expected a probability above 0 and at most 1, found -0.2"),
        ("propensity", float("nan"), "log, row 7: propensity: expected a probability above 0 and at most 1, found nan"),
        ("propensity", None, "log, row 7: propensity: expected a value, found none"),
        ("reward", float("nan"), "log, row 7: reward: expected a finite number, found nan"),
        ("reward", float("-inf"), "log, row 7: reward: expected a finite number, found -inf"),
        ("reward", 10 * MOST_REWARD, "log, row 7: reward: expected a number of at most 1e+100, found 1e+101"),
        ("reward", None, "log, row 7: reward: expected a value, found none"),
        ("action", None, "log, row 7: action: expected a value, found none"),
        ("action", "g\nreen" + "n" * 90, "log, row 7: action: expected one of red, blue, found 'g\\nreen"),
    ],
)
def test_a_number_that_cannot_be_right_is_named(column: str, value: object, message: str) -> None:
    assert refusal(with_one(column, value)).startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reward": ["1"] * ROWS}, "log: reward: expected numbers, found string, such as '1' in row 0"),
        ({"propensity": ["0.5"] * ROWS}, "log: propensity: expected numbers, found string"),
        ({"propensity": [True] * ROWS}, "log: propensity: expected numbers, found bool"),
        ({"reward": [NINE] * ROWS}, "log: reward: expected numbers, found timestamp"),
        ({"action": [["red"]] * ROWS}, "log: action: expected text or numbers, found list"),
        ({"user_id": pa.nulls(ROWS, pa.string())}, "log, row 0: user_id: expected a value, found none; give anonymous"),
        ({"user_id": ["u", " ", *["v"] * (ROWS - 2)]}, "log, row 1: user_id: expected a value, found none"),
        ({"user_id": [1.0, float("nan"), *[2.0] * (ROWS - 2)]}, "log, row 1: user_id: expected a value, found none"),
        ({"segment": ["s", None, *["t"] * (ROWS - 2)]}, "log, row 1: segment: expected a value, found none; give them"),
    ],
)
def test_a_column_of_another_type_is_named(changes: dict[str, object], message: str) -> None:
    assert refusal(logged(**changes)).startswith(message)


NAIVE, ZONED = pa.timestamp("us"), pa.timestamp("us", "UTC")


def times(kind: pa.DataType, *values: object) -> pa.Array:
    return pa.array([*values, *[None] * (ROWS - len(values))], kind)


@pytest.mark.parametrize(
    ("shown", "rewarded", "message"),
    [
        (
            times(NAIVE, NINE.replace(tzinfo=None)),
            times(ZONED, NINE),
            "log, row 0: shown_at: expected instants (timestamps with a time zone, or whole numbers since the same "
            "moment), found '2026-03-31 09:00:00': shown_at timestamp[us] and rewarded_at timestamp[us, tz=UTC]",
        ),
        (times(ZONED, NINE), times(NAIVE, None, NINE.replace(tzinfo=None)), "log, row 1: rewarded_at: expected inst"),
        (times(pa.string(), "2026-03-31T09:00:00Z"), times(ZONED), "log, row 0: shown_at: expected instants"),
        (times(ZONED, NINE), times(pa.date32(), NINE.date()), "log, row 0: rewarded_at: expected instants"),
        (times(ZONED, NINE), times(pa.int64(), 7), "log: shown_at, rewarded_at: expected both of one kind, found"),
        (times(ZONED, NINE), times(ZONED, NINE - timedelta(seconds=1)), "log, row 0: rewarded_at: expected a time fro"),
        (times(pa.null()), times(ZONED, None, NINE), "log, row 1: rewarded_at: expected a time from its impression on"),
    ],
)
def test_times_that_cannot_be_compared_are_named(shown: pa.Array, rewarded: pa.Array, message: str) -> None:
    assert refusal(logged(shown_at=shown, rewarded_at=rewarded)).startswith(message)


def test_zones_may_differ_where_there_are_zones() -> None:
    berlin = times(ZONED, NINE).cast(pa.timestamp("ms", "Europe/Berlin"))
    log_of(pa.table(logged(shown_at=times(ZONED, NINE), rewarded_at=berlin)), ARMS)
    assert "row 0: shown_at: expected inst" in refusal(logged(shown_at=times(NAIVE, NINE.replace(tzinfo=None))))


def test_duplicates_among_categories_are_named() -> None:
    ids = pa.array([*map(str, range(ROWS - 1)), "5"]).dictionary_encode()
    assert refusal(logged(impression_id=ids)).startswith(f"log, row {ROWS - 1}: impression_id: expected each once")


def judged(users: list[str] | None) -> Verdict:
    log, _ = log_of(pa.table(logged(**({} if users is None else {"user_id": users}))), ARMS)
    return compare(log, BLUE, RED)


def test_one_cluster_has_no_interval() -> None:
    """Its interval had no width, which looks like certainty."""
    verdict = judged(["u"] * ROWS)
    assert "are of 1 clusters (user_id)" in verdict.refusal
    for found in verdict.estimates.values():
        assert found.normal == found.bootstrap == (-np.inf, np.inf)
    assert "are of 9 clusters" in judged([str(row % 9) for row in range(ROWS)]).refusal
    assert not judged([str(row) for row in range(ROWS)]).refusal
    assert not judged(None).refusal


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_rewards_that_are_all_the_same_have_no_interval(reward: float) -> None:
    log, _ = log_of(pa.table(logged(reward=[reward] * ROWS)), ARMS)
    assert evaluate(log, HALF).refusal.startswith(f"all 2,000 rewards are {reward:g}")


def test_negative_rewards_are_computed() -> None:
    """A return costs what it costs: shifting all rewards shifts the self-normalised value."""
    log, _ = log_of(pa.table(logged()), ARMS)
    back, _ = log_of(pa.table(logged(reward=np.asarray(logged()["reward"]) - 3)), ARMS)
    before, after = (evaluate(it, HALF).estimates["snips"] for it in (log, back))
    assert after.value == pytest.approx(before.value - 3)
    assert after.error == pytest.approx(before.error)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.table])
def test_frames_of_every_kind_give_one_log(frame: object) -> None:
    columns = logged(user_id=[str(row) for row in range(ROWS)])
    expected, _ = log_of(pa.table(columns), ARMS)
    found, _ = log_of(frame(columns), ARMS)  # type: ignore[operator]
    for name in ("action", "reward", "propensity", "stratum", "cluster"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist()


def test_decimals_and_flags_are_numbers() -> None:
    log, _ = log_of(pa.table({"action": ["red"], "reward": [True], "propensity": [Decimal("0.8")]}), ARMS)
    assert (log.reward.tolist(), log.propensity.tolist()) == ([1.0], [0.8])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reward", np.array(["1"] * 9)),
        ("reward", np.ones((9, 1))),
        ("propensity", np.array([0.5] * 9, object)),
        ("action", np.zeros(9)),
        ("cluster", np.full(9, np.nan)),
    ],
)
def test_arrays_of_another_kind_are_refused(name: str, value: np.ndarray) -> None:
    arrays = {"action": np.zeros(9, int), "reward": np.ones(9), "propensity": np.ones(9)}
    with pytest.raises(FeedbackError, match=f"log: {name}: expected one column of "):
        Log.checked(ARMS, **{**arrays, name: value})


def test_features_that_are_no_numbers_are_refused() -> None:
    context = np.zeros((9, 2))
    context[4, 1] = np.nan
    with pytest.raises(FeedbackError, match=r"log, row 4: context: expected finite numbers, found \[0.0, nan\]"):
        Log.checked(ARMS, np.zeros(9, int), np.ones(9), np.ones(9), context=context)


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(-1, 1), st.floats(-1, 1))
def test_the_direct_interval_holds_what_the_doubly_robust_one_leaves_open(seed: int, red: float, blue: float) -> None:
    """However wrong the model is, its interval is no narrower, and reaches as far as the rewards contradict it."""
    rng = np.random.default_rng(seed)
    action = rng.integers(0, 2, 300)
    log = Log.checked(ARMS, action, (rng.random(300) < 0.3).astype(float), np.full(300, 0.5))
    found = evaluate(log, BLUE, MeanModel(np.full((2, 1, 2), [red, blue]))).estimates
    direct, robust = found["direct"], found["doubly_robust"]
    for mine, other in ((direct.normal, robust.normal), (direct.bootstrap, robust.bootstrap)):
        assert mine[1] - mine[0] >= other[1] - other[0] - 1e-12
        assert mine[0] <= robust.value <= mine[1]
