"""Item-item weights against their definitions."""

import numpy as np
from scipy import sparse

from training.rankers.item_item import carried, cosine, ease, unit_rows

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
