"""Item vectors: own text, what is around it, and behaviour where there is no text."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from tests.unit.training.topics.worlds import around
from training.topics import day_items as module
from training.topics.clusters import assign, fit
from training.topics.day_items import AROUND, USUAL, item_vectors

pytestmark = pytest.mark.kernel


def weights(size: int, pairs: dict[tuple[int, int], float]) -> sparse.csr_matrix:
    found = sparse.lil_matrix((size, size), dtype=np.float32)
    for (one, other), weight in pairs.items():
        found[one, other] = found[other, one] = weight
    return found.tocsr()


def test_an_item_is_its_text_and_what_is_around_it() -> None:
    text = np.array([[1, 0], [0, 1], [0, 1]], np.float16)
    found = item_vectors(text, weights(3, {(0, 1): USUAL}))
    # item 0: half of AROUND times its one neighbour
    leaning = np.array([1, AROUND / 2, 0]) / np.hypot(1, AROUND / 2)
    assert np.allclose(found[0], leaning, atol=1e-3)
    assert found[2].tolist() == [0, 1, 0]  # nobody turned to it: its text alone


def test_an_item_without_text_is_where_its_neighbours_are() -> None:
    text = np.array([[0, 0], [0, 1], [0, 0]], np.float16)
    found = item_vectors(text, weights(3, {(0, 1): 4.0}))
    assert np.allclose(found[0, :2], [0, 1], atol=1e-3)
    assert found[2].tolist() == [0] * (found.shape[1] - 1) + [1]  # nothing is known of it


@pytest.mark.parametrize("at_once", [1, 5, 1000])
def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    text = around([n % 4 for n in range(40)]).astype(np.float16)
    text[::5] = 0
    pairs = weights(40, {(n, (n * 7 + 3) % 40): 1.0 + n for n in range(40)})
    whole = item_vectors(text, pairs)
    monkeypatch.setattr(module, "COLUMNS_AT_ONCE", at_once)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", at_once)
    assert np.allclose(item_vectors(text, pairs), whole, atol=2e-3)
    assert np.allclose(np.linalg.norm(whole.astype(float), axis=1), 1, atol=2e-3)


def test_behaviour_alone_gives_topics() -> None:
    generator, planted = np.random.default_rng(4), np.arange(120) % 6
    alike = generator.random((120, 120)) < np.where(planted[:, None] == planted, 0.4, 0.01)
    pairs = sparse.csr_matrix(np.triu(alike, 1) + np.triu(alike, 1).T, dtype=np.float32)
    vectors = item_vectors(np.zeros((120, 8), np.float16), pairs).astype(np.float32)
    labels, _ = assign(vectors, fit(vectors, 6, 1.05))
    assert adjusted_rand_score(planted, labels) > 0.95


def test_weak_texts_are_told_apart_by_behaviour() -> None:
    generator, planted = np.random.default_rng(4), np.arange(200) % 5
    text = around(planted.tolist(), noise=0.6).astype(np.float16)
    alike = generator.random((200, 200)) < np.where(planted[:, None] == planted, 0.3, 0.01)
    pairs = sparse.csr_matrix(np.triu(alike, 1) + np.triu(alike, 1).T, dtype=np.float32)
    alone, both = (
        adjusted_rand_score(planted, assign(rows, fit(rows, 5, 1.05))[0])
        for rows in (text.astype(np.float32), item_vectors(text, pairs).astype(np.float32))
    )
    assert alone < 0.6
    assert both > 0.85
