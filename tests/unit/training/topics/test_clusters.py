"""Clusters: planted ones are found, also from a bad start, and equal items stay together."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from tests.unit.training.topics.worlds import WIDTH, around
from training.topics.clusters import Groups, assign, fit, means, own_cosine, regrouped

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("seed", range(5))
def test_planted_clusters_are_found(seed: int) -> None:
    planted = [n % 8 for n in range(160)]
    rows = around(planted, seed=seed)
    labels, cosine = assign(rows, fit(rows, 8, 1.05))
    assert adjusted_rand_score(planted, labels) == 1
    assert cosine.min() > 0.8


def test_a_split_and_a_merge_leave_a_bad_optimum() -> None:
    planted = np.arange(120) % 4
    rows = around(planted.tolist())
    # two clusters on topic 0, one on topics 1 and 2: k-means alone would stay there
    halves = np.where(planted == 0, np.arange(120) % 8 // 4, np.maximum(planted, 2))
    labels = regrouped(rows, halves, 4, 1.05)
    assert adjusted_rand_score(planted, labels) == 1


def test_the_cost_of_a_merge_is_the_gain_of_the_split_it_undoes() -> None:
    rows = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    apart = Groups(rows, np.array([0, 0, 1, 1]))
    # all four around their mean (.5, .5): 4 * .5 = 2 squared; in two clusters none
    assert apart.cheapest_merge(spare=-1) == ((0, 1), pytest.approx(2.0))
    assert Groups(rows, np.zeros(4)).best_split() == (0, pytest.approx(2.0))


def test_one_topic_cut_in_two_becomes_one_again() -> None:
    planted = np.arange(200) % 8
    rows = around(planted.tolist())
    assert len(fit(rows, 10, 1.05)) == 10
    labels, _ = assign(rows, fit(rows, 10, 1.05, apart=0.5))
    assert adjusted_rand_score(planted, labels) == 1


def test_clusters_of_one_cloud_all_stay() -> None:
    rows = around([0] * 300, noise=0.5)
    assert len(fit(rows, 6, 1.05, apart=0.5)) == 6


@pytest.mark.parametrize("rows", [around([0]), np.tile(around([0]), (50, 1)), around([0, 1])])
def test_there_are_no_more_clusters_than_distinct_items(rows: np.ndarray) -> None:
    distinct = len(np.unique(rows, axis=0))
    assert len(fit(rows, 5, 1.05)) == distinct
    assert len(fit(rows, 5, 1.5, start=rows[:1])) == distinct


def test_the_same_rows_give_the_same_bits() -> None:
    rows = around([n % 6 for n in range(300)], noise=0.5)
    assert np.array_equal(fit(rows, 9, 1.05), fit(rows.copy(), 9, 1.05))


def test_means_and_cosines_by_hand() -> None:
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8], [1, 0]], np.float16)
    labels = np.array([0, 0, 1, -1])
    centroids = means(vectors, labels, 3)
    assert np.allclose(centroids, [[0.5**0.5, 0.5**0.5], [0.6, 0.8], [0, 0]], atol=1e-3)
    assert np.allclose(own_cosine(vectors, centroids, labels), [0.707, 0.707, 1, -1], atol=1e-3)
    assert means(np.zeros((0, WIDTH)), np.zeros(0, int), 0).shape == (0, WIDTH)
