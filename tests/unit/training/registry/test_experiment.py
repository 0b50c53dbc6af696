"""The experiment as an analyst finds it, in a new store and in one of the version before."""

import json
from pathlib import Path

import pytest

from pipeline.runtime.settings import Settings
from training.registry.experiment import EXPERIMENT_TAGS, KIND, VIEW
from training.registry.runs import EXPERIMENT, open_client


def active(home: Settings) -> dict[str, str]:
    return {it.name: it.artifact_location for it in open_client(home).search_experiments()}


def test_there_is_one_experiment_and_it_keeps_its_files_in_the_home(home: Settings) -> None:
    assert active(home) == {EXPERIMENT: (home.mlflow / "artifacts").as_uri()}


def test_it_is_for_model_training_and_has_a_view_of_the_headline_figures(home: Settings) -> None:
    tags = open_client(home).get_experiment_by_name(EXPERIMENT).tags
    assert tags[KIND] == "custom_model_development"
    view = json.loads(tags[f"mlflow.sharedViewState.{VIEW}"])
    assert view["name"] == "Headline figures"
    assert json.loads(view["state"])["selectedColumns"][0] == "metrics.`test/ndcg_10`"


def test_a_store_of_the_version_before_is_brought_up_to_date_once(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    home.mlflow.mkdir(parents=True)
    client = MlflowClient(tracking_uri=home.tracking_uri)
    client.create_experiment(EXPERIMENT, artifact_location=tmp_path.as_uri())
    assert set(active(home)) == {EXPERIMENT}
    assert set(EXPERIMENT_TAGS) <= set(client.get_experiment_by_name(EXPERIMENT).tags)

    def again(*_: object, **__: object) -> None:
        raise AssertionError("opening a client writes nothing once the experiment is there")

    for name in ("create_experiment", "set_experiment_tag", "delete_experiment", "search_runs"):
        monkeypatch.setattr(MlflowClient, name, again)
    open_client(home)


def test_a_default_experiment_that_is_in_use_stays(home: Settings) -> None:
    from mlflow import MlflowClient

    home.mlflow.mkdir(parents=True)
    MlflowClient(tracking_uri=home.tracking_uri).create_run("0")
    assert set(active(home)) == {EXPERIMENT, "Default"}
