"""Queries and reviews as event tokens: encoded once, kept, read by the model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from pipeline.tables.registry import TRAINING_EXAMPLES
from tests.unit.training.factory import (
    DS,
    TEXT_WIDTH,
    embeddings,
    event,
    examples,
    item_rows,
    publish_day,
    user_id,
)
from training.data.catalogue import Catalogue, build_catalogue
from training.data.users import to_examples
from training.fitting.data import TrainingData, load_training_data
from training.fitting.fit_model import build_trainer
from training.network.inputs import inputs_of, tokens, with_texts
from training.network.presets import PRESETS
from training.texts import event_texts
from training.texts.event_texts import EventTexts

CPU = torch.device("cpu")
PRESET = replace(PRESETS["tiny"], epochs=2, steps_per_epoch=3)


class Alphabet:
    """Counts of a text's first letters; remembers what it was asked, and draws random numbers."""

    version = "made up"

    def __init__(self) -> None:
        torch.rand(3)
        self.asked: list[str] = []

    def encode(self, texts: list[str]) -> np.ndarray:
        self.asked += texts
        rows = [[float(text.count(chr(97 + n))) for n in range(TEXT_WIDTH)] for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, TEXT_WIDTH)


def said(texts: list[str | None]) -> pa.Table:
    """One example whose events are searches and reviews with these texts."""
    row = examples(1, 40).to_pylist()[0]
    kinds = ("search", "review")
    row["events"] = [
        event("shop:001" if n % 2 else None, kinds[n % 2], "2024-02-01", n) | {"text": text}
        for n, text in enumerate(texts)
    ]
    return pa.Table.from_pylist([row], schema=TRAINING_EXAMPLES.schema)


@pytest.fixture
def texts(tmp_path: Path) -> EventTexts:
    return EventTexts("made up", TEXT_WIDTH, tmp_path / "texts.db", Alphabet)


@pytest.fixture
def catalogue(texts: EventTexts) -> Catalogue:
    return replace(build_catalogue(embeddings(40)), texts=texts)


def test_a_text_is_encoded_once_and_kept(texts: EventTexts, tmp_path: Path) -> None:
    found = texts.vectors(["abba", "cab", "abba"])
    assert found[:, :3].tolist() == [[2, 2, 0], [1, 1, 1], [2, 2, 0]]

    def never() -> Alphabet:
        raise AssertionError("encoded again")

    again = EventTexts("made up", TEXT_WIDTH, tmp_path / "texts.db", never)
    assert (again.vectors(["cab", "abba"]) == found[[1, 0]]).all()
    other = EventTexts("made up@2", TEXT_WIDTH, tmp_path / "texts.db", Alphabet)
    with pytest.raises(ModelError, match="expected text encoder made up@2"):
        other.vectors(["cab"])


def test_the_newest_vectors_are_kept(texts: EventTexts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_texts, "MOST", 3)
    texts.vectors(["a", "b"])
    texts.vectors(["c", "d"])
    encoder = Alphabet()
    EventTexts("made up", TEXT_WIDTH, tmp_path / "texts.db", lambda: encoder).vectors(list("abcd"))
    assert encoder.asked == ["a"]


def test_events_know_what_was_said(catalogue: Catalogue) -> None:
    read = to_examples(said(["abba", None, "cab", " ", "abba"]), catalogue)
    codes, names = read.past.said, read.past.texts.to_pylist()
    assert [names[code] if code >= 0 else None for code in codes] == [
        "abba",
        None,
        "cab",
        None,
        "abba",
    ]
    found = tokens(read.past, np.array([0]), catalogue, 8)
    inputs = with_texts(inputs_of(found, np.arange(40), CPU), found, read.past, catalogue)
    assert inputs.said is not None
    assert inputs.texts is not None
    # The opening position, five events, and padding.
    rows = [0, *(int(code) + 1 for code in codes), 0, 0, 0]
    assert inputs.said.tolist() == [rows]
    assert inputs.texts[inputs.said[0, 1] - 1][:2].tolist() == [2, 2]


def test_a_query_changes_the_user_and_a_review_adds_to_its_item(catalogue: Catalogue) -> None:
    from training.network.network import InterestModel, Shape

    sizes = {"text_width": TEXT_WIDTH, "ids": 0, "platforms": 1, "features": 2, "heads": 6}
    model = InterestModel(Shape.of(PRESET, **sizes)).eval()
    vectors = []
    for words in (["abba", "cab"], ["abba", None], ["gggg", "cab"]):
        read = to_examples(said(words), catalogue)
        found = tokens(read.past, np.array([0]), catalogue, 4)
        inputs = with_texts(inputs_of(found, np.arange(40), CPU), found, read.past, catalogue)
        items, _ = model.item_vectors(torch.from_numpy(catalogue.text), torch.zeros(40, dtype=int))
        vectors.append(model.events(inputs, items)[0].detach())
    review, query = vectors[0] - vectors[1], vectors[0] - vectors[2]
    assert torch.allclose(review[2], model.text(torch.from_numpy(Alphabet().encode(["cab"])))[0], atol=1e-6)
    assert (review[[0, 1, 3, 4]] == 0).all()
    assert (query[[0, 2, 3, 4]] == 0).all()
    assert query[1].abs().max() > 0.1


@pytest.fixture
def talkative(home: Settings, texts: EventTexts) -> TrainingData:
    """A shop whose users search before each event."""
    rows = examples(60, 40).to_pylist()
    for row in rows:
        row["events"] = [
            entry
            for found in row["events"]
            for entry in (
                event(None, "search", found["arrival_ds"], 9) | {"text": "abc"[: len(row["events"])]},
                found,
            )
        ]
    publish_day(home, "training_examples", pa.Table.from_pylist(rows, schema=TRAINING_EXAMPLES.schema))
    publish_day(home, "item_embeddings", embeddings(40))
    publish_day(home, "items", item_rows(40))
    data = load_training_data(home, DS, CPU)
    assert user_id(0) in data.examples.users.to_pylist()
    return replace(data, catalogue=replace(data.catalogue, texts=texts))


def test_kept_texts_change_no_draw(talkative: TrainingData, tmp_path: Path) -> None:
    cold = build_trainer(talkative, PRESET, tmp_path / "cold", CPU).fit()
    warm = build_trainer(talkative, PRESET, tmp_path / "warm", CPU).fit()
    assert warm.steps == cold.steps
    deaf = build_trainer(talkative, replace(PRESET, reads_text=False), tmp_path / "deaf", CPU).fit()
    assert deaf.steps != cold.steps
