"""The model of a run as MLflow's UI shows it: under the run, with its signature, figures and registered version.

Scoring loads the folder `model` of the run's artifacts. The logged model has a copy of the small files that describe
it, and no weights.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

NAME = "tidemark"
DESCRIBING = ("MLmodel", "card.json")
FOLDER_TAG = "tidemark.folder"  # where the whole model is
VERSIONS_TAG = "mlflow.modelVersions"  # read by the UI


def log_model(client: "MlflowClient", run_id: str, folder: Path) -> str:
    """The id of the run's model, logged from its folder on first use."""
    from mlflow.entities import LoggedModelOutput

    run = client.get_run(run_id)
    found = model_of(run)
    if found is not None:
        return found
    source = {name: value for name, value in run.data.tags.items() if name.startswith("mlflow.source.")}
    params: dict[str, str] = {
        name: run.data.params[name] for name in ("preset.name", "data.ds") if name in run.data.params
    }
    model = client.create_logged_model(
        run.info.experiment_id,
        NAME,
        source_run_id=run_id,
        tags={FOLDER_TAG: f"{run.info.artifact_uri}/model", **source},
        params=params,
        model_type="recommender",
    )
    for name in DESCRIBING:
        client.log_model_artifact(model.model_id, str(folder / name))
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    return str(model.model_id)


def model_of(run: "Run") -> str | None:
    """The id of the run's model, None if the run's version logged none."""
    logged = run.outputs.model_outputs if run.outputs else []
    return str(logged[0].model_id) if logged else None


def link_version(client: "MlflowClient", run: "Run", name: str, version: str) -> None:
    """Links the run's model to its registered version in the UI."""
    model_id = model_of(run)
    if model_id is not None:
        client.set_logged_model_tags(model_id, {VERSIONS_TAG: json.dumps([{"name": name, "version": version}])})
