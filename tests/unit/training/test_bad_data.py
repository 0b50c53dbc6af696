"""Data that cannot be trained on is refused before training; odd data that can, is."""

import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.runtime.errors import ModelError, NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.tables.registry import TRAINING_EXAMPLES
from tests.unit.training.factory import (
    DS,
    daily,
    embeddings,
    event,
    example,
    examples,
    item_rows,
    publish_day,
    user_id,
)
from training import train
from training.data import distributed
from training.data.catalogue import build_catalogue
from training.data.users import HEADS
from training.fitting.data import TrainingData, load_training_data
from training.fitting.fit_model import build_trainer
from training.fitting.start import new_model
from training.model.model import Card, TrainedModel
from training.network.network import InterestModel
from training.network.presets import PRESETS
from training.network.vocabulary import Vocabulary

CPU = torch.device("cpu")
ITEMS = 8


def publish_examples(home: Settings, rows: pa.Table) -> None:
    publish_day(home, "item_embeddings", embeddings(ITEMS))
    publish_day(home, "items", item_rows(ITEMS))
    publish_day(home, "training_examples", rows)


def trained(home: Settings, data: TrainingData) -> float:
    progress = build_trainer(data, PRESETS["tiny"], home.mlflow / "checkpoints", CPU).fit()
    return progress.best_loss


def test_a_missing_day(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train", "--ds", DS, "--run", "r"])
    with pytest.raises(NotPublishedError, match=f"item_embeddings ds={DS}: not published"):
        train.main()


@pytest.mark.parametrize("fold", ["train", "valid"])
def test_a_fold_without_rows(home: Settings, fold: str) -> None:
    publish_examples(home, examples(10, ITEMS, {fold: -56, "test": -28}))
    with pytest.raises(ModelError, match="expected rows of the folds train and valid, found"):
        load_training_data(home, DS, CPU)


def test_events_without_any_item(home: Settings) -> None:
    events = [event(None, "search", "2024-02-01"), event(None, "search", "2024-04-20")]
    rows = [example(user_id(n), events, "2024-03-09", fold) for n in range(4) for fold in ("train",)]
    rows += [example(user_id(n), events, "2024-04-06", "valid") for n in range(4)]
    publish_examples(home, pa.Table.from_pylist(rows, schema=TRAINING_EXAMPLES.schema))
    with pytest.raises(ModelError, match="expected events with items, found none"):
        load_training_data(home, DS, CPU)


def test_identical_events_and_one_item(home: Settings) -> None:
    events = [event("shop:000", "view", day) for day in ("2024-02-01", "2024-03-20", "2024-04-20")]
    rows = [example(user_id(n), events, "2024-03-09", "train") for n in range(4)]
    rows += [example(user_id(n), events, "2024-04-06", "valid") for n in range(4)]
    publish_examples(home, pa.Table.from_pylist(rows, schema=TRAINING_EXAMPLES.schema))
    data = load_training_data(home, DS, CPU)
    assert data.vocabulary.item_ids.to_pylist() == ["shop:000"]
    # Everybody does the same: no label has two classes.
    assert set(data.constant_heads.values()) <= {0.0, 1.0}
    assert len(data.constant_heads) == len(HEADS)
    assert trained(home, data) < 1.0


def test_users_with_one_event(home: Settings) -> None:
    rows = []
    for number in range(12):
        events = [event(f"shop:00{number % ITEMS}", "view", "2024-03-01")]
        rows += [example(user_id(number), events, "2024-03-09", "train")]
        rows += [example(user_id(number), events, "2024-04-06", "valid")]
    publish_examples(home, pa.Table.from_pylist(rows, schema=TRAINING_EXAMPLES.schema))
    data = load_training_data(home, DS, CPU)
    assert data.constant_heads["churn_28d"] == 1.0
    assert trained(home, data) < float("inf")


def test_a_catalogue_needs_items_of_one_encoder() -> None:
    with pytest.raises(ModelError, match="expected items, found none"):
        build_catalogue(embeddings(0))
    mixed = pa.concat_tables([embeddings(2, encoder="a"), embeddings(2, "market", encoder="b")])
    with pytest.raises(ModelError, match="expected one encoder, found"):
        build_catalogue(mixed)


def test_a_platform_with_a_single_item(home: Settings) -> None:
    """Beside a platform with eight: its users have nothing to choose from, the others do."""
    days = ("2024-02-01", "2024-03-20", "2024-04-20")
    rows = []
    for number in range(12):
        item = "kiosk:000" if number % 3 == 0 else f"shop:00{number % ITEMS}"
        platform, events = item.split(":")[0], [event(item, "view", day) for day in days]
        for cutoff, fold in (("2024-03-09", "train"), ("2024-04-06", "valid")):
            row = example(user_id(number), events, cutoff, fold)
            rows.append({**row, "daily": daily(row["events"], platform)})
    both = pa.concat_tables([embeddings(ITEMS), embeddings(1, "kiosk")])
    publish_day(home, "item_embeddings", both)
    publish_day(home, "items", item_rows(ITEMS))
    examples = pa.Table.from_pylist(rows, schema=TRAINING_EXAMPLES.schema)
    publish_day(home, "training_examples", examples)
    data = load_training_data(home, DS, CPU)
    assert data.catalogue.platforms == ("kiosk", "shop")
    assert "kiosk:000" in data.vocabulary.item_ids.to_pylist()
    assert np.isfinite(trained(home, data))


def test_items_without_any_text(home: Settings) -> None:
    """Vectors of nothing: items are told apart by their ids alone."""
    publish_examples(home, examples(30, ITEMS))
    data = load_training_data(home, DS, CPU)
    blank = replace(data.catalogue, text=np.zeros_like(data.catalogue.text))
    assert np.isfinite(trained(home, replace(data, catalogue=blank)))


def test_values_that_are_no_numbers_count_as_nothing(home: Settings) -> None:
    rows = examples(30, ITEMS).to_pylist()
    for row in rows[::2]:
        for day in row["daily"]:
            day["value"] = float("nan")
        for entry in row["events"]:
            entry["price"] = float("nan")
    publish_examples(home, pa.Table.from_pylist(rows, schema=TRAINING_EXAMPLES.schema))
    data = load_training_data(home, DS, CPU)
    assert np.isfinite(data.examples.features).all()
    assert np.isfinite(data.mean).all() and np.isfinite(data.spread).all()
    assert np.isfinite(trained(home, data))


def test_a_process_without_users_is_named(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """All users fall to the first of two processes; this is the second."""
    rows = [row for row in examples(30, ITEMS).to_pylist() if row["user_id"] < "8"]
    publish_examples(home, pa.Table.from_pylist(rows, schema=TRAINING_EXAMPLES.schema))
    monkeypatch.setattr(distributed, "world", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    first = np.array([20, 10, 0])  # what the other process has
    monkeypatch.setattr(distributed, "total_of", lambda own, device: own + first)
    with pytest.raises(ModelError, match="expected users for each of 2 processes, found 30 rows"):
        load_training_data(home, DS, CPU)


def test_a_vocabulary_older_than_the_data(home: Settings) -> None:
    """An earlier model knows half of the items, and one that is gone: ids are only appended."""
    publish_examples(home, examples(30, ITEMS))
    data = load_training_data(home, DS, CPU)
    known = pa.array(["shop:003", "shop:gone", "shop:001"])
    shape = replace(new_model(data, PRESETS["tiny"], CPU).shape, ids=len(known))
    model = InterestModel(shape).eval()
    card = Card(
        "2024-05-01",
        "r",
        {},
        shape.as_dict(),
        data.catalogue.encoder,
        ["shop"],
        {},
    )
    old = TrainedModel(model, Vocabulary(known, np.array([5, 2, 1])), card)
    grown = load_training_data(home, DS, CPU, old)
    names = grown.vocabulary.item_ids.to_pylist()
    assert names[:3] == ["shop:003", "shop:gone", "shop:001"]
    assert sorted(names[3:]) == sorted(set(data.vocabulary.item_ids.to_pylist()) - {"shop:003", "shop:001"})
    assert np.isfinite(trained(home, grown))
