"""Metrics against values worked out by hand and against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from training.evaluation.metrics import (
    auc,
    average_precision,
    calibration_error,
    diversity,
    hit_rate,
    ndcg,
    novelty,
    recall,
    reciprocal_rank,
)
from training.propensity.stack import log_loss

# Three users: hits at ranks 1 and 3 of 4 relevant; none of 1; a user without any relevant item.
HITS = np.array([[True, False, True], [False, False, False], [False, False, False]])
RELEVANT = np.array([4, 1, 0])
LABELLED = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30)


def test_recall_counts_items_that_nobody_could_rank() -> None:
    assert recall(HITS, RELEVANT, 3)[:2].tolist() == [0.5, 0.0]
    assert recall(HITS, RELEVANT, 1)[0] == 0.25
    assert np.isnan(recall(HITS, RELEVANT, 3)[2])


def test_hit_rate_is_whether_not_how_many() -> None:
    assert hit_rate(HITS, RELEVANT, 3)[:2].tolist() == [1.0, 0.0]
    assert hit_rate(HITS[:, 1:], RELEVANT, 1)[0] == 0.0
    assert np.isnan(hit_rate(HITS, RELEVANT, 3)[2])


def test_ndcg_by_hand() -> None:
    # DCG = 1/log2(2) + 1/log2(4) = 1.5; ideal for 3 places = 1 + 0.63093 + 0.5 = 2.13093.
    assert ndcg(HITS, RELEVANT, 3)[0] == pytest.approx(1.5 / 2.1309297535714573)
    assert ndcg(HITS, RELEVANT, 3)[1] == 0.0
    assert np.isnan(ndcg(HITS, RELEVANT, 3)[2])


@given(st.lists(st.booleans(), min_size=4, max_size=4), st.integers(1, 4))
def test_ndcg_is_that_of_scikit_learn(hits: list[bool], k: int) -> None:
    if any(hits):
        ranked = np.array([hits])
        expected = sk.ndcg_score(ranked, np.array([[4, 3, 2, 1]]), k=k)
        assert ndcg(ranked, ranked.sum(axis=1), k)[0] == pytest.approx(expected)


def test_reciprocal_rank_over_the_whole_order() -> None:
    scores = np.array([[0.5, 0.9, 0.5, 0.1], [0.5, 0.5, 0.5, -1.0], [0.3, 0.2, 0.1, 0.0]])
    relevant = np.array([[0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=bool)
    # Item 2 is third: item 1 is above it, and item 0 has its score and comes first.
    found = reciprocal_rank(scores, relevant, np.array([2, 1, 0]), -1.0)
    assert found[:2].tolist() == [1 / 3, 0.0]
    assert np.isnan(found[2])


def test_novelty_is_surprise_in_bits() -> None:
    share = np.array([0.5, 0.25, 0.25])
    found = novelty(np.array([[0, 1], [2, -1], [-1, -1]]), share)
    assert found[:2].tolist() == [1.5, 2.0]
    assert np.isnan(found[2])


def test_diversity_is_the_mean_distance_of_pairs() -> None:
    # Right angle, twins, opposites; cosine distances 1, 0 and 2.
    text = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [-1.0, 0.0]])
    found = diversity(np.array([[0, 1], [0, 2], [0, 3], [0, -1]]), text)
    assert found[:3] == pytest.approx([1, 0, 2])
    assert np.isnan(found[3])
    three = diversity(np.array([[0, 1, 3]]), text)
    assert three == pytest.approx((1 + 2 + 1) / 3)


def test_auc_by_hand() -> None:
    # Pairs (positive, negative): .8>.3, .8>.5, .5=.5 (half), .5>.3 -> 3.5 of 4.
    labels, scores = np.array([1, 0, 1, 0]), np.array([0.8, 0.3, 0.5, 0.5])
    assert auc(labels, scores) == 3.5 / 4
    assert np.isnan(auc(np.ones(3), np.arange(3)))


@given(LABELLED)
def test_auc_is_the_share_of_ordered_pairs(rows: list[tuple[bool, int]]) -> None:
    labels, scores = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    pairs = [(p, n) for p in scores[labels] for n in scores[~labels]]
    if pairs:
        share = sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs)
        assert auc(labels, scores) == pytest.approx(share)


@given(LABELLED)
def test_areas_and_losses_are_those_of_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    labels, scores = np.array([r[0] for r in rows]), np.array([r[1] for r in rows]) / 6 + 0.05
    if 0 < labels.sum() < len(labels):
        assert auc(labels, scores) == pytest.approx(sk.roc_auc_score(labels, scores))
        area = sk.average_precision_score(labels, scores)
        assert average_precision(labels, scores) == pytest.approx(area)
        assert log_loss(labels, scores).mean() == pytest.approx(sk.log_loss(labels, scores))
    else:
        assert np.isnan(average_precision(labels, scores))


def test_average_precision_by_hand() -> None:
    # Steps: .8 (1 of 1 right, recall 1/2), .5 (2 of 3 right, recall 1).
    labels, scores = np.array([1, 0, 1, 0]), np.array([0.8, 0.3, 0.5, 0.5])
    assert average_precision(labels, scores) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_log_loss_by_hand() -> None:
    losses = log_loss(np.array([1.0, 0.0]), np.array([0.25, 0.25]))
    assert losses == pytest.approx([np.log(4), -np.log(0.75)])


def test_calibration_error_by_hand() -> None:
    # Bin [.2, .3): two rows at .25, one positive -> gap .25. Bin [.9, 1]: two at .95, both -> .05.
    labels, chances = np.array([1, 0, 1, 1]), np.array([0.25, 0.25, 0.95, 0.95])
    assert calibration_error(labels, chances) == pytest.approx(0.5 * 0.25 + 0.5 * 0.05)
