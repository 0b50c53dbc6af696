"""Logs from Arrow tables: strata in order, clusters by user, rows refused by number."""

import pyarrow as pa
import pytest

from pipeline.decisions.ope.arrow_log import log_of
from pipeline.runtime.errors import FeedbackError

ARMS = ("red", "blue")
ROWS = pa.table(
    {
        "action": ["blue", "red", "red"],
        "reward": [1, 0, 1],
        "propensity": [0.25, 0.75, 0.75],
        "position": [2, 1, 2],
        "segment": ["new", "old", "old"],
        "user_id": ["u", "v", "u"],
    }
)


def test_a_table_becomes_a_log() -> None:
    log, strata = log_of(ROWS, ARMS)
    assert log.action.tolist() == [1, 0, 0]
    assert strata == [("new", "1"), ("new", "2"), ("old", "1"), ("old", "2")]
    assert log.stratum.tolist() == [1, 2, 3]
    assert log.cluster.tolist() == [0, 1, 0]


def test_without_segments_and_positions_there_is_one_stratum() -> None:
    log, strata = log_of(ROWS.select(["action", "reward", "propensity"]), ARMS)
    assert (strata, log.stratum.tolist(), log.cluster) == ([()], [0, 0, 0], None)


def test_bad_rows_are_named() -> None:
    with pytest.raises(FeedbackError, match="expected a column propensity, found action, reward"):
        log_of(ROWS.select(["action", "reward"]), ARMS)
    with pytest.raises(FeedbackError, match=r"row 0: action: expected one of red, .*found 'blue'"):
        log_of(ROWS, ("red",))
    missing = ROWS.set_column(2, "propensity", pa.array([0.2, None, 0.5]))
    with pytest.raises(FeedbackError, match="row 1: propensity: expected a value, found none"):
        log_of(missing, ARMS)
    zero = ROWS.set_column(2, "propensity", pa.array([0.2, 0.5, 0.0]))
    with pytest.raises(FeedbackError, match=r"row 2: propensity: expected a probability above 0"):
        log_of(zero, ARMS)


def test_second_conversions_and_rewards_before_their_impression_are_named() -> None:
    twice = ROWS.append_column("impression_id", pa.array(["i", "j", "i"]))
    with pytest.raises(FeedbackError, match=r"row 2: impression_id: .*found 'i' again"):
        log_of(twice, ARMS)
    without = ROWS.append_column("impression_id", pa.array(["i", None, None]))
    with pytest.raises(FeedbackError, match=r"row 1: impression_id: expected a value, found none"):
        log_of(without, ARMS)
    never = ROWS.append_column("shown_at", pa.array([10, None, None]))
    with pytest.raises(FeedbackError, match=r"row 2: .* from its impression on, found 31"):
        log_of(never.append_column("rewarded_at", pa.array([10, None, 31])), ARMS)
    times = ROWS.append_column("shown_at", pa.array([10, 20, 30]))
    log_of(times.append_column("rewarded_at", pa.array([10, None, 31])), ARMS)
    early = times.append_column("rewarded_at", pa.array([11, None, 29]))
    with pytest.raises(FeedbackError, match=r"row 2: rewarded_at: .* from 30 on, found 29"):
        log_of(early, ARMS)
