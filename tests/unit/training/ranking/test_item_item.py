"""Item-item weights against their definitions."""

import numpy as np
import pytest
from scipy import sparse

from training.ranking.item_item import (
    carried,
    cosine,
    ease,
    followed,
    nearest,
    packed,
    times,
    unit_rows,
)

pytestmark = pytest.mark.kernel

GENERATOR = np.random.default_rng(5)
BOUGHT = (GENERATOR.random((40, 9)) < 0.3).astype(np.float32)


def test_ease_is_the_closed_form() -> None:
    gram = BOUGHT.T @ BOUGHT + 7.0 * np.eye(9)
    inverse = np.linalg.inv(gram)
    expected = np.eye(9) - inverse / np.diag(inverse)
    found = ease(sparse.csr_matrix(BOUGHT), 7.0)
    assert np.allclose(found, expected, atol=1e-5)
    assert not np.diag(found).any()


def test_cosine_is_one_between_twins_and_shrinks_the_rare() -> None:
    twins = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]], dtype=np.float32)
    plain = cosine(sparse.csr_matrix(twins), 0.0)
    assert np.isclose(plain[0, 1], 1.0) and np.isclose(plain[0, 2], 0.5)
    assert cosine(sparse.csr_matrix(twins), 3.0)[0, 1] < 0.2


def test_neighbours_folded_into_items_are_user_knn() -> None:
    profiles = unit_rows(sparse.csr_matrix(BOUGHT), np.linspace(1, 2, 9))
    alike = (profiles @ profiles.T).toarray()
    by_users = alike @ BOUGHT
    by_items = profiles @ carried(profiles, sparse.csr_matrix(BOUGHT))
    assert np.allclose(by_users, by_items, atol=1e-4)


def test_a_user_without_items_has_a_row_of_zeros() -> None:
    none = sparse.csr_matrix(np.zeros((2, 3), dtype=np.float32))
    assert not unit_rows(none, np.ones(3)).toarray().any()


def test_what_follows_is_counted_nearer_for_more() -> None:
    # newest first: user 0 went 2 -> 1 -> 0, user 1 went 2 -> 1
    row, item, place = np.array([[0, 0, 0, 1, 1], [0, 1, 2, 1, 2], [0, 1, 2, 0, 1]])
    found = times(sparse.eye(3).tocsr(), followed(row, item, place, 3, shrink=1e-6))
    assert np.allclose(found, [[0, 0, 0], [1, 0, 0], [0.5 / 2.5, 2 / 2.5, 0]], atol=1e-4)


def test_the_nearest_texts_are_kept_and_nothing_below_the_floor() -> None:
    angles = np.array([0.0, 0.2, 0.5, 3.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = times(sparse.eye(4).tocsr(), nearest(vectors, 0.5, 1)).T
    assert (found[:3] > 0).sum(axis=1).tolist() == [1, 1, 1]
    assert found[1, 0] > 0 and found[2, 1] > 0
    assert not found[3].any() and not np.diag(found).any()
    assert np.isclose(found[0, 1], (np.cos(0.2) - 0.5) ** 2, atol=1e-5)


def test_a_packed_matrix_gives_the_same_products() -> None:
    sparse_one = sparse.csr_matrix(np.eye(40, dtype=np.float32))
    dense_one = sparse.csr_matrix(np.ones((40, 40), dtype=np.float32))
    assert sparse.issparse(packed(sparse_one)) and isinstance(packed(dense_one), np.ndarray)
    rows = sparse.csr_matrix(np.arange(80, dtype=np.float32).reshape(2, 40))
    for weights in (sparse_one, dense_one):
        assert np.allclose(times(rows, packed(weights)), rows.toarray() @ weights.toarray())
