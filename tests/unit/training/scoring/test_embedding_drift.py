"""Embedding drift compares two readings of one model, and nothing that was published."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.runtime.days import shift
from tests.unit.training.factory import DS, embeddings, event
from tests.unit.training.scoring.test_scoring import history, predictor
from training.data.catalogue import Catalogue, build_catalogue
from training.data.sequences import sequences
from training.model.predictor import Predictor
from training.scoring.feature_rows import embedding_drift, known_by, score_users

LONG_AGO, THEN, LATER = shift(DS, -60), shift(DS, -28), shift(DS, -27)


@pytest.fixture(scope="module")
def shop() -> Catalogue:
    return build_catalogue(embeddings(60))


def drift(rows: pa.Table, found: Predictor) -> list[float | None]:
    return score_users(rows, DS, "1", found)["embedding_drift"].to_pylist()


def vector(events: list[dict], found: Predictor) -> torch.Tensor:
    past = sequences(history((["shop"], events))["events"], found.catalogue)
    return found.vectors(past, np.arange(1))[0]


def test_the_distance_of_the_vector_now_and_of_the_history_then(shop: Catalogue) -> None:
    found = predictor(shop)
    old = [event("shop:001", "view", LONG_AGO), event("shop:005", "purchase", THEN)]
    new = [event("shop:002", "view", LATER), event("shop:006", "purchase", DS)]
    now, then = vector(old + new, found), vector(old, found)
    expected = 1 - float(now @ then) / float(now.norm() * then.norm())
    assert expected > 1e-3
    assert drift(history((["shop"], old + new)), found) == [pytest.approx(expected, abs=1e-5)]


def test_nothing_new_is_no_drift_and_a_new_user_has_none(shop: Catalogue) -> None:
    rows = history(
        (["shop"], [event("shop:001", "view", THEN)]),  # known then, nothing since
        (["shop"], [event("shop:001", "view", LATER)]),  # nothing known then
        (["shop"], [event(None, "search", LONG_AGO)]),
    )
    assert drift(rows, predictor(shop)) == [0.0, None, 0.0]


def test_what_landed_late_was_not_known_then(shop: Catalogue) -> None:
    """It counts by the day it arrived, not by the day it happened."""
    late = event("shop:009", "purchase", LONG_AGO) | {"arrival_ds": LATER}
    known = event("shop:001", "view", LONG_AGO, hour=9)
    column = history((["shop"], [known, late]), (["shop"], [late]))["events"]
    then = known_by(column, THEN).to_pylist()
    assert [[entry["item_id"] for entry in events] for events in then] == [["shop:001"], []]


def test_the_same_model_on_both_sides(shop: Catalogue) -> None:
    """Other weights give another distance for the same history: both vectors are theirs."""
    old, new = [event("shop:001", "view", THEN)], [event("shop:002", "purchase", DS)]
    first, second = predictor(shop), predictor(shop)
    with torch.no_grad():
        for weights in second.trained.model.parameters():
            weights.add_(0.05 * torch.randn(weights.shape, generator=torch.manual_seed(3)))
    second = Predictor.of(second.trained, shop, None)
    rows = history((["shop"], old + new))
    users = second.vectors(sequences(rows["events"], shop), np.arange(1))
    other = embedding_drift(rows, DS, second, users).to_pylist()[0]
    now, then = vector(old + new, second), vector(old, second)
    assert other == pytest.approx(1 - float(torch.cosine_similarity(now, then, dim=0)), abs=1e-5)
    assert other != pytest.approx(drift(rows, first)[0], abs=1e-5)
