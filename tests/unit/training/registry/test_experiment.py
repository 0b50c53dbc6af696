"""The experiment as an analyst finds it, in a new store and in one of the version before."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.runtime.settings import Settings
from training.registry.experiment import EXPERIMENT_TAGS, KIND, VIEW, hide_default
from training.registry.runs import EXPERIMENT, open_client


def active(home: Settings) -> dict[str, str]:
    return {it.name: it.artifact_location for it in open_client(home).search_experiments()}


def test_a_new_store_has_one_experiment_for_model_training_with_a_view_of_the_headline_figures(home: Settings) -> None:
    assert active(home) == {EXPERIMENT: (home.mlflow / "artifacts").as_uri()}
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


def test_a_default_experiment_that_is_in_use_stays() -> None:
    deleted = []
    for runs in ([], ["a run"]):
        client = SimpleNamespace(
            get_experiment_by_name=lambda name: SimpleNamespace(experiment_id="0", lifecycle_stage="active"),
            search_runs=lambda ids, max_results, runs=runs: runs,
            delete_experiment=deleted.append,
        )
        hide_default(client)  # type: ignore[arg-type]
    assert deleted == ["0"]
