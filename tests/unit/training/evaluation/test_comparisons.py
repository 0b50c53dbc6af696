"""Scopes, trials and the tables that compare them, on two platforms with the same topics."""

import json
import sys

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings
from pipeline.tables.registry import ITEMS, TRAINING_EXAMPLES
from tests.unit.training.factory import DS, embeddings, examples, item_rows, publish_day
from training import compare_encoders, compare_modes
from training.data.scope import Scope
from training.evaluation.trial_table import KIND, table
from training.evaluation.trials import Quality, Trial, others
from training.fitting.data import load_training_data
from training.network.presets import TUNINGS
from training.registry.runs import find_run, local_folder, open_client

CPU = torch.device("cpu")
ITEM_COUNT = 40


def renamed(rows: pa.Table, platform: str) -> list[dict]:
    """The same rows on another platform, by other users: their ids begin with fff."""
    text = json.dumps(rows.to_pylist(), default=str).replace("shop:", f"{platform}:")
    text = text.replace('"platform": "shop"', f'"platform": "{platform}"')
    return [row | ({"user_id": "fff" + row["user_id"][3:]} if "user_id" in row else {}) for row in json.loads(text)]


@pytest.fixture
def two(home: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Shops `shop` and `market`."""
    from datetime import datetime

    market = renamed(examples(40, ITEM_COUNT), "market")
    for row in market:
        for entry in (*row["events"], *row["future"]):
            entry["event_time"] = datetime.fromisoformat(entry["event_time"])
    both = pa.Table.from_pylist(examples(60, ITEM_COUNT).to_pylist() + market, TRAINING_EXAMPLES.schema)
    publish_day(home, "training_examples", both)
    publish_day(
        home,
        "item_embeddings",
        pa.concat_tables([embeddings(ITEM_COUNT), embeddings(ITEM_COUNT, "market")]),
    )
    items = item_rows(ITEM_COUNT).to_pylist() + renamed(item_rows(ITEM_COUNT), "market")
    publish_day(home, "items", pa.Table.from_pylist(items, ITEMS.schema))
    monkeypatch.setenv("TIDEMARK_HOME", str(home.home))
    monkeypatch.setenv("TIDEMARK_TRAIN_PRESET", "tiny")
    return home


def test_a_scope_is_some_platforms_and_some_of_their_users(two: Settings) -> None:
    whole = load_training_data(two, DS, CPU)
    market = load_training_data(two, DS, CPU, scope=Scope(("market",)))
    assert whole.catalogue.platforms == ("market", "shop")
    assert market.catalogue.platforms == ("market",)
    assert len(market.catalogue) == ITEM_COUNT
    assert set(market.examples.users.to_pylist()) == {
        user for user in whole.examples.users.to_pylist() if user.startswith("fff")
    }
    assert (market.examples.past.item >= 0).all()
    half = load_training_data(two, DS, CPU, scope=Scope(("shop",), 0.5))
    users = set(half.examples.users.to_pylist())
    assert users == {user for user in whole.examples.users.to_pylist() if user >= "8" and not user.startswith("fff")}
    assert others(two, DS, Scope(("shop",))) == Scope(("market",))
    with pytest.raises(UsageError, match="platforms with items, found none-such; known are market, shop"):
        load_training_data(two, DS, CPU, scope=Scope(("none-such",)))


def trial(name: str, ndcg: list[float]) -> Trial:
    values = np.array(ndcg)
    quality = Quality(values, values, np.array([np.nan, 0.5]), {"purchase_7d": 0.75}, {})
    return Trial(name, 2000, 1000, 12.3, 3, quality, {})


def test_a_table_tells_gains_user_by_user() -> None:
    lines = table([trial("scratch", [0.1, 0.3]), trial("full", [0.2, 0.4])], "scratch").splitlines()
    assert lines[2] == "| scratch | 1,000 / 2,000 | 0.2000 |  | 0.2000 | 0.5000 (n 1) | 0.7500 | 12 |"
    assert "| 0.3000 | +0.1000 [+0.1000, +0.1000] |" in lines[3]


def test_modes_are_compared_in_one_run(
    two: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["compare", "--ds", DS, "--run", "m", "--platform", "shop", "--users", "0.6"])
    monkeypatch.setattr(compare_modes, "SCHEDULE", {"epochs": 1, "batch": 32})
    compare_modes.main()
    printed = capsys.readouterr().out
    client = open_client(two)
    run = client.get_run(find_run(client, "m", DS))
    assert run.data.tags[KIND] == "modes"
    assert (run.data.params["platform"], run.data.params["users"]) == ("shop", "0.6")
    for mode in ("pretrained", "scratch", *TUNINGS):
        assert f"| {mode} |" in printed
        assert run.data.metrics[f"trials/cpu_seconds/{mode}"] > 0
        assert 0 <= run.data.metrics[f"trials/ndcg_10/{mode}"] <= 1
    assert run.data.metrics["trials/trainable/frozen"] < run.data.metrics["trials/trainable/lora"]
    assert run.data.metrics["trials/trainable/lora"] < run.data.metrics["trials/trainable/full"]
    kept = local_folder(f"{run.info.artifact_uri}/comparison")
    assert (kept / "table.md").read_text().strip() in printed
    assert json.loads((kept / "table.json").read_text())["full"]["epochs"] == 1


def test_encoders_are_compared_in_one_run(two: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_TEXT_ENCODER", "tfidf")
    monkeypatch.setattr(sys, "argv", ["compare", "--ds", DS, "--run", "e"])
    compare_encoders.main()
    client = open_client(two)
    metrics = client.get_run(find_run(client, "e", DS)).data.metrics
    names = ("tfidf", "word2vec", "no_event_text", "ids_alone")
    assert {f"trials/ndcg_10/{name}" for name in names} <= metrics.keys()
