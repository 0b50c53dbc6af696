"""The model registry: versions of `tidemark`, with the aliases challenger and champion."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.runtime.errors import ModelError
from training.registry.runs import local_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "tidemark"
CHAMPION, CHALLENGER = "champion", "challenger"


def register(client: "MlflowClient", run_id: str, ds: str) -> str:
    """The version of a training run, made on first use, and now the challenger."""
    found = version_of_run(client, run_id)
    if found is None:
        if not client.search_registered_models(f"name = '{MODEL}'"):
            client.create_registered_model(MODEL, description="interest model, one for all users")
        source = f"{client.get_run(run_id).info.artifact_uri}/model"
        version = client.create_model_version(MODEL, source, run_id, tags={"ds": ds})
        found = str(version.version)
    client.set_registered_model_alias(MODEL, CHALLENGER, found)
    return found


def version_of_run(client: "MlflowClient", run_id: str) -> str | None:
    """The registered version of a training run, None when there is none."""
    found = client.search_model_versions(f"name = '{MODEL}' and run_id = '{run_id}'")
    return str(found[0].version) if found else None


def aliased(client: "MlflowClient", alias: str) -> str | None:
    """The version with the alias, None when there is none."""
    models = client.search_registered_models(f"name = '{MODEL}'")
    found = models[0].aliases.get(alias) if models else None
    return None if found is None else str(found)


def folder_of(client: "MlflowClient", version: str) -> Path:
    """The model folder of a version. Raises ModelError when there is no such version."""
    from mlflow.exceptions import MlflowException

    try:
        return local_folder(str(client.get_model_version(MODEL, version).source))
    except MlflowException:
        raise ModelError(
            f"model {MODEL}: expected a registered version, found {version!r}; "
            "see `python -m training.champion --print`"
        ) from None


def day_of(client: "MlflowClient", version: str) -> str:
    """The day that a version was trained for."""
    return str(client.get_model_version(MODEL, version).tags["ds"])
