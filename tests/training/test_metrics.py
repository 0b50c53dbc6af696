"""Metrics against values worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.metrics import auc, calibration_error, interval, log_loss, ndcg, recall

# Three users: hits at ranks 1 and 3 of 4 relevant; none of 1; a user without any relevant item.
HITS = np.array([[True, False, True], [False, False, False], [False, False, False]])
RELEVANT = np.array([4, 1, 0])


def test_recall_counts_items_that_nobody_could_rank() -> None:
    assert recall(HITS, RELEVANT, 3)[:2].tolist() == [0.5, 0.0]
    assert recall(HITS, RELEVANT, 1)[0] == 0.25
    assert np.isnan(recall(HITS, RELEVANT, 3)[2])


def test_ndcg_by_hand() -> None:
    # DCG = 1/log2(2) + 1/log2(4) = 1.5; ideal for 3 places = 1 + 0.63093 + 0.5 = 2.13093.
    assert ndcg(HITS, RELEVANT, 3)[0] == pytest.approx(1.5 / 2.1309297535714573)
    assert ndcg(HITS, RELEVANT, 3)[1] == 0.0
    assert np.isnan(ndcg(HITS, RELEVANT, 3)[2])


def test_auc_by_hand() -> None:
    # Pairs (positive, negative): .8>.3, .8>.5, .5=.5 (half), .5>.3 -> 3.5 of 4.
    labels, scores = np.array([1, 0, 1, 0]), np.array([0.8, 0.3, 0.5, 0.5])
    assert auc(labels, scores) == 3.5 / 4
    assert np.isnan(auc(np.ones(3), np.arange(3)))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30))
def test_auc_is_the_share_of_ordered_pairs(rows: list[tuple[bool, int]]) -> None:
    labels, scores = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    pairs = [(p, n) for p in scores[labels] for n in scores[~labels]]
    if pairs:
        share = sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs)
        assert auc(labels, scores) == pytest.approx(share)


def test_log_loss_by_hand() -> None:
    losses = log_loss(np.array([1.0, 0.0]), np.array([0.25, 0.25]))
    assert losses == pytest.approx([np.log(4), -np.log(0.75)])


def test_calibration_error_by_hand() -> None:
    # Bin [.2, .3): two rows at .25, one positive -> gap .25. Bin [.9, 1]: two at .95, both -> .05.
    labels, chances = np.array([1, 0, 1, 1]), np.array([0.25, 0.25, 0.95, 0.95])
    assert calibration_error(labels, chances) == pytest.approx(0.5 * 0.25 + 0.5 * 0.05)


def test_interval_holds_the_mean_and_leaves_nan_out() -> None:
    mean, low, high = interval(np.array([0.0, 1.0, np.nan, 1.0]), seed=1)
    assert mean == pytest.approx(2 / 3)
    assert low < mean < high
    assert np.isnan(interval(np.array([np.nan]), seed=1)).all()
