"""The model beside the baselines, on the small shop."""

import numpy as np
import pytest

from tests.unit.training.evaluation.baselines.lives import window
from tests.unit.training.factory import embeddings, item_rows
from tests.unit.training.scoring.test_scoring import model
from training.data.catalogue import build_catalogue
from training.evaluation.answering import answering, blind
from training.evaluation.baselines.known import LISTS, Known
from training.model.lists import NEVER

ITEMS = 8


def test_an_id_only_model_cannot_tell_new_items_apart() -> None:
    catalogue = build_catalogue(embeddings(ITEMS), item_rows(ITEMS))
    trained = model(catalogue.item_ids.slice(0, 5), ["shop"])
    without = blind(trained, catalogue)
    vectors, bias = trained.item_vectors(without)
    assert np.ptp(vectors[5:].numpy(), axis=0).max() == pytest.approx(0, abs=1e-6)
    assert np.ptp(bias[5:].numpy()) == pytest.approx(0, abs=1e-6)
    assert np.array_equal(without.text[:5], catalogue.text[:5])
    assert np.ptp(vectors[:5].numpy(), axis=0).max() > 0.01


def test_both_lists_and_the_transformer_score_every_row() -> None:
    examples = window([[(0, 3), (1, 2)], [(2, 1)], [(0, 9), (4, 4)]], ITEMS)
    catalogue = build_catalogue(embeddings(ITEMS), item_rows(ITEMS))
    trained = model(catalogue.item_ids, ["shop"])
    answer = answering(trained, examples, catalogue, Known.of(examples, ITEMS))
    assert answer.chances.shape == examples.labels.shape
    names = [(name, ranker.lists) for name, ranker in answer.rankers]
    assert names[:2] == [("published", (LISTS[0],)), ("published", (LISTS[1],))]
    assert names[2:] == [("transformer", LISTS), ("transformer_ids", LISTS)]
    for name, ranker in answer.rankers:
        scores = ranker.scores(np.arange(3))
        assert scores.shape == (3, ITEMS), name
        assert ((scores >= 0) | (scores == NEVER)).all(), name
