"""Data that cannot be trained on is refused before training; odd data that can, is."""

import sys

import pyarrow as pa
import pytest
import torch

from pipeline.errors import ModelError, NotPublishedError
from pipeline.settings import Settings
from pipeline.tables import TRAINING_EXAMPLES
from tests.training.factory import (
    DS,
    embeddings,
    event,
    example,
    examples,
    item_rows,
    publish_day,
    user_id,
)  # fmt: skip
from training import train
from training.building import build_trainer
from training.catalogue import build_catalogue
from training.presets import PRESETS
from training.training_data import TrainingData, load_training_data

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
    rows = [
        example(user_id(n), events, "2024-03-09", fold) for n in range(4) for fold in ("train",)
    ]
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
    assert len(data.constant_heads) == 6
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
