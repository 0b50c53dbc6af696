"""Train, evaluate, promote and score as a night runs them, on the small shop."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from pipeline.runtime.errors import ModelError, UsageError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage import staging
from pipeline.storage.reading import published, read
from pipeline.tables.registry import table_named
from tests.unit.training.factory import DS, publish_shop, vouch
from training import evaluate, promote, rollback, score, train
from training.evaluation.report import kept
from training.network.presets import PRESETS
from training.registry import versions
from training.registry.metric_names import COLUMNS
from training.registry.runs import needed_run, open_client
from training.registry.versions import CHALLENGER, CHAMPION, aliased, load

Run = Callable[..., None]


def call(job: object, *arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["job", *arguments])
        job.main()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home in which a first model was trained, evaluated and promoted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIDEMARK_HOME", str(tmp_path_factory.mktemp("jobs") / "home"))
        patch.setenv("TIDEMARK_TRAIN_PRESET", "tiny")
        settings = load_settings()
        publish_shop(settings)
        assert versions.version(settings) is None
        for job in (train, evaluate, promote):
            call(job, "--ds", DS, "--run", "first")
        yield settings


def test_the_first_challenger_becomes_champion(home: Settings) -> None:
    client = open_client(home)
    assert versions.version(home) == "1"
    tags = client.get_model_version("tidemark", "1").tags
    assert tags["promotion.promoted"] == "true"
    assert tags["promotion.reason.1"] == "there was no champion"


def test_the_run_tells_how_to_repeat_it(home: Settings) -> None:
    client = open_client(home)
    run = client.get_run(needed_run(client, "first", DS))
    assert run.info.status == "FINISHED"
    assert run.data.params["preset.name"] == "tiny"
    assert run.data.params["preset.seed"] == "7"
    for table in ("training_examples", "item_embeddings", "items"):
        snapshot = int(run.data.tags[f"tidemark.snapshot.{table}"])
        assert snapshot == published_snapshot(table, home)
    assert len(run.data.tags["mlflow.source.git.commit"]) in (40, len("unknown"))
    assert len(run.data.tags["tidemark.requirements"]) == 16
    steps = client.get_metric_history(run.info.run_id, "train/loss")
    assert len(steps) == 8
    assert run.data.metrics["train/memory_gb"] > 0.05
    plots = {item.path for item in client.list_artifacts(run.info.run_id, "plots")}
    assert {"plots/loss.png", "plots/calibration.png", "plots/next_items.png"} <= plots


def test_the_run_shows_an_analyst_what_came_out(home: Settings) -> None:
    """Source, description, datasets, the model, and the headline figures under short names."""
    client = open_client(home)
    run = client.get_run(needed_run(client, "first", DS))
    assert run.data.tags["mlflow.source.name"] == "training.train"
    report = kept(client, run.info.run_id)
    assert report is not None
    ndcg = report.rankings["next_items/published/ndcg_10"][0]
    assert run.data.metrics["test/ndcg_10"] == ndcg
    assert {f"test/{name}" for name in COLUMNS if not name.endswith("_vs_champion")} <= run.data.metrics.keys()
    assert len([name for name in run.data.metrics if name.startswith("test/")]) < 20
    told = run.data.tags["mlflow.note.content"]
    assert told.startswith("Preset **tiny**, from scratch") and f"NDCG@10 {ndcg:.4f}" in told
    assert run.data.tags["tidemark.verdict"] in told


def test_the_run_names_its_datasets(home: Settings) -> None:
    client = open_client(home)
    run = client.get_run(needed_run(client, "first", DS))
    logged = {it.dataset.name: it for it in run.inputs.dataset_inputs}
    assert set(logged) == {"training_examples", "item_embeddings", "items"}
    for name, found in logged.items():
        dataset = found.dataset
        assert json.loads(dataset.source) == {
            "table": name,
            "ds": DS,
            "snapshot_id": run.data.tags[f"tidemark.snapshot.{name}"],
        }
        assert len(dataset.digest) == 12
        assert json.loads(dataset.profile)["num_rows"] == len(read(name, DS, home))
        columns = [column["name"] for column in json.loads(dataset.schema)["mlflow_colspec"]]
        assert columns == table_named(name).schema.names
        assert [(tag.key, tag.value) for tag in found.tags] == [("mlflow.data.context", "training")]


def test_the_run_shows_its_model_and_the_registered_version(home: Settings) -> None:
    client = open_client(home)
    run = client.get_run(needed_run(client, "first", DS))
    (output,) = run.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert (model.source_run_id, model.status) == (run.info.run_id, "READY")
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": "tidemark", "version": "1"}]
    assert model.tags["tidemark.folder"] == load(home, "1").as_uri()
    assert {metric.key for metric in model.metrics} >= {"test/ndcg_10", "test/ece"}
    assert {metric.dataset_name for metric in model.metrics} == {"training_examples"}


def test_the_model_folder_holds_nothing_that_is_unpickled(home: Settings) -> None:
    names = sorted(path.name for path in load(home, "1").iterdir())
    assert names == [
        "MLmodel",
        "card.json",
        "propensity.json",
        "ranking.safetensors",
        "vocabulary.parquet",
        "weights.safetensors",
    ]


def test_the_evaluation_beats_popularity_where_users_keep_to_a_topic(home: Settings) -> None:
    client = open_client(home)
    report = kept(client, needed_run(client, "first", DS))
    assert report is not None
    for name in ("next_items", "next_new_items"):
        published_low = report.rankings[f"{name}/published/ndcg_10"][1]
        assert published_low > report.rankings[f"{name}/popular_14d/ndcg_10"][0]
    assert report.propensities["cart_7d/log_loss"][0] == pytest.approx(0, abs=1e-5)


def test_the_audit_of_the_only_platform_is_that_of_everybody(home: Settings) -> None:
    client = open_client(home)
    run = client.get_run(needed_run(client, "first", DS))
    report, metrics = kept(client, run.info.run_id), run.data.metrics
    assert report is not None and report.fairness is not None
    assert {(group.side, group.by) for group in report.fairness.groups} >= {("users", "platform"), ("items", "age")}
    everybody = report.rankings["next_items/published/ndcg_10"][0]
    assert metrics["test_fairness/users/platform/shop/ndcg_10"] == pytest.approx(everybody)
    assert metrics["test/tail_exposure"] == report.fairness.measures["popularity/tail_exposure"][0]
    assert "evaluation/fairness.json" in {it.path for it in client.list_artifacts(run.info.run_id, "evaluation")}


def test_every_user_is_scored_once_over_the_buckets(home: Settings) -> None:
    for bucket in ("0", "1", "2"):
        call(score, "--ds", DS, "--run", "night", "--bucket", bucket, "--buckets", "3")
    stated = [part.facts["rows"][DS] for part in staging.current(home, "user_features", "night")]
    assert sum(stated) == 120
    assert min(stated) > 20
    vouch(home, "user_features", "night")
    features = read("user_features", DS, home)
    users = read("user_history", DS, home)["user_id"].to_pylist()
    assert sorted(features["user_id"].to_pylist()) == sorted(users)
    assert set(features["model_version"].to_pylist()) == {"1"}
    histories = {row["user_id"]: row for row in read("user_history", DS, home).to_pylist()}
    for row in features.to_pylist():
        items = [entry["item_id"] for entry in row["next_items"]]
        new = [entry["item_id"] for entry in row["next_new_items"]]
        known = {event["item_id"] for event in histories[row["user_id"]]["events"]}
        assert len(set(items)) == len(set(new)) == 50
        assert not known & set(new)
        assert row["p_purchase_7d"] <= row["p_purchase_28d"]


def test_a_bucket_scored_again_gives_the_same_rows(home: Settings) -> None:
    found = []
    for run in ("again", "and-again"):
        call(score, "--ds", DS, "--run", run, "--bucket", "1", "--buckets", "2")
        files = staging.current(home, "user_features", run)[0].days[DS]
        found.append(pq.read_table(files[0]))
    assert found[0].equals(found[1])


def test_a_trained_run_is_taken_up_not_repeated(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    client = open_client(home)
    begun = client.get_run(needed_run(client, "first", DS)).data.params["job.threads"]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 99)  # as on another machine
    call(train, "--ds", DS, "--run", "first")
    assert client.get_run(needed_run(client, "first", DS)).data.params["job.threads"] == begun
    assert len(client.get_metric_history(needed_run(client, "first", DS), "train/loss")) == 8
    again = client.get_run(needed_run(client, "first", DS))
    assert len(again.outputs.model_outputs) == 1 and len(again.inputs.dataset_inputs) == 3
    assert "NDCG@10" in again.data.tags["mlflow.note.content"]
    assert aliased(client, CHALLENGER) == "1"


def test_a_second_challenger_is_judged_against_the_champion(home: Settings) -> None:
    client = open_client(home)
    call(train, "--ds", DS, "--run", "second")
    with pytest.raises(ModelError, match="expected an evaluation, found none"):
        call(promote, "--ds", DS, "--run", "second")
    call(evaluate, "--ds", DS, "--run", "second")
    report = kept(client, needed_run(client, "second", DS))
    assert report is not None
    assert report.champion == "1"
    # The same data, preset and seed: the same model.
    gains = [gain[0] for gain in report.gains.values()]
    assert gains == pytest.approx([0] * len(gains))
    assert {"next_items/ndcg_10", "next_new_items/ndcg_10", "purchase_28d/ece"} <= set(report.gains)
    call(promote, "--ds", DS, "--run", "second")
    assert aliased(client, CHAMPION) == "2"


def test_one_command_rolls_back_and_what_was_rolled_back_stays_out(
    home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    client = open_client(home)
    call(rollback)
    assert aliased(client, CHAMPION) == "1"
    assert f"version 1 (trained for {DS}) is the champion again" in capsys.readouterr().out
    assert "promotion.rolled_back" in client.get_model_version("tidemark", "2").tags
    with pytest.raises(ModelError, match="version 2 was rolled back; train another"):
        call(promote, "--ds", DS, "--run", "second")
    with pytest.raises(ModelError, match="expected a version before champion 1, found none"):
        call(rollback)
    client.set_registered_model_alias("tidemark", CHAMPION, "2")
    old = home.mlflow / "artifacts" / "elsewhere"
    folder = load(home, "1")
    folder.rename(old)
    with pytest.raises(ModelError, match="expected the folder of version 1"):
        call(rollback)
    old.rename(folder)


def test_wrong_usage_and_missing_things_are_named(home: Settings) -> None:
    with pytest.raises(UsageError, match=r"--bucket: expected 0\.\.1, found 2"):
        call(score, "--ds", DS, "--run", "r", "--bucket", "2", "--buckets", "2")
    with pytest.raises(ModelError, match="expected a registered version, found '99'"):
        call(score, "--ds", DS, "--run", "r", "--model-version", "99")
    with pytest.raises(ModelError, match="expected a training run 'none'"):
        call(evaluate, "--ds", DS, "--run", "none")
    with pytest.raises(UsageError, match=r"preset: expected one of base, tiny.* 'huge'"):
        call(train, "--ds", DS, "--run", "r", "--preset", "huge")


def published_snapshot(table: str, home: Settings) -> int:
    from pipeline.storage.catalog import load_table

    assert DS in published(table, home)
    iceberg = load_table(home, table_named(table))
    assert iceberg is not None
    return int(iceberg.metadata.current_snapshot_id or 0)


@pytest.mark.parametrize("command", ["champion", "promote", "rollback"])
def test_commands_of_the_registry_are_light(command: str) -> None:
    """What the DAG asks must not take torch's time to start."""
    import subprocess

    code = f"import sys, training.{command}; sys.exit('torch' in sys.modules)"
    project = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=project, check=False).returncode == 0


def test_pretraining_is_no_challenger_and_can_be_started_from(
    home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = PRESETS["tiny"]
    monkeypatch.setitem(PRESETS, "tiny-pretrain", replace(tiny, heads_weight=0.0))
    monkeypatch.setitem(PRESETS, "tiny-lora", replace(tiny, tuning="lora", rank=2))
    client = open_client(home)
    before = aliased(client, CHALLENGER)
    call(train, "--ds", DS, "--run", "logs", "--preset", "tiny-pretrain", "--platforms", "shop")
    pretrained = needed_run(client, "logs", DS)
    assert capsys.readouterr().out.splitlines()[-1] == f"MLflow run {pretrained}"
    assert aliased(client, CHALLENGER) == before
    assert client.get_run(pretrained).data.params["job.platforms"] == "shop"
    call(train, "--ds", DS, "--run", "tuned", "--preset", "tiny-lora", "--init", pretrained)
    tuned = client.get_run(needed_run(client, "tuned", DS))
    assert tuned.data.params["job.init"] == pretrained
    assert tuned.data.params["preset.tuning"] == "lora"
    assert aliased(client, CHALLENGER) != before
    with pytest.raises(UsageError, match="found nowhere; known are shop"):
        call(train, "--ds", DS, "--run", "r", "--platforms", "nowhere")
