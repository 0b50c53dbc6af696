"""MLflow: one run per training job, found again by its id when the job is retried.

Import-light: mlflow is imported when a client is opened.
"""

import hashlib
import logging
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from training.registry.experiment import EXPERIMENT_TAGS, KIND, hide_default

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "interest-model"
RUN_TAG, DS_TAG = "tidemark.run", "tidemark.ds"
PROJECT = Path(__file__).resolve().parents[2]


def open_client(settings: Settings) -> "MlflowClient":
    """A client of the tracking store; the first use creates its database, one process at a time."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    for chatty in ("alembic", "mlflow.store.db.utils", "mlflow.system_metrics"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    import mlflow

    settings.mlflow.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(settings.tracking_uri)
    mlflow.set_registry_uri(settings.tracking_uri)
    with FileLock(settings.mlflow / ".lock"):
        client = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            # A server stores artifacts where it is configured to; without a server they are in the home.
            local = None if settings.mlflow_uri else (settings.mlflow / "artifacts").as_uri()
            client.create_experiment(EXPERIMENT, artifact_location=local, tags=EXPERIMENT_TAGS)
        elif KIND not in experiment.tags:  # created by a version that did not set them
            for name, value in EXPERIMENT_TAGS.items():
                client.set_experiment_tag(experiment.experiment_id, name, value)
        else:
            return client
        if not settings.mlflow_uri:
            hide_default(client)
    return client


def find_run(client: "MlflowClient", run: str, ds: str) -> str | None:
    """MLflow's id of the job's run, None if there is none."""
    text = f"tags.`{RUN_TAG}` = '{run}' and tags.`{DS_TAG}` = '{ds}'"
    found = client.search_runs([_experiment(client)], text, max_results=1)
    return found[0].info.run_id if found else None


def run_with_id(client: "MlflowClient", run_id: str) -> "Run":
    """The run. Raises ModelError when there is none."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException:
        raise ModelError(f"MLflow: expected a run with id {run_id!r}, found none") from None


def needed_run(client: "MlflowClient", run: str, ds: str) -> str:
    """The same. Raises ModelError when there is none."""
    found = find_run(client, run, ds)
    if found is None:
        raise ModelError(f"MLflow: expected a training run {run!r} of ds={ds}, found none; train first")
    return found


def start_run(client: "MlflowClient", run: str, ds: str, program: str = "training") -> str:
    """The job's run, created on the first attempt and resumed on later ones.

    `program` is the module being run: the UI shows it as the source.
    """
    found = find_run(client, run, ds)
    if found is not None:
        client.update_run(found, status="RUNNING")
        return found
    tags = {
        RUN_TAG: run,
        DS_TAG: ds,
        "mlflow.source.name": program,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": git_revision(),
        "tidemark.requirements": requirements_hash(),
    }
    name = f"{ds} {run}"
    return client.create_run(_experiment(client), tags=tags, run_name=name).info.run_id


def artifact_folder(client: "MlflowClient", run_id: str, name: str) -> Path:
    """A local folder with the run's artifacts of that name."""
    return local_folder(f"{client.get_run(run_id).info.artifact_uri}/{name}")


def local_folder(uri: str) -> Path:
    """The artifacts at `uri`; downloaded unless they are on this machine."""
    if uri.startswith("file://"):
        return Path(uri.removeprefix("file://"))
    from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(artifact_uri=uri))


def git_revision() -> str:
    """The commit that the code was checked out at, "unknown" outside a checkout."""
    command = ["git", "-C", str(PROJECT), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return found.stdout.strip() or "unknown"


def requirements_hash() -> str:
    """The first 16 hex characters of the SHA-256 of requirements.txt, "unknown" without it."""
    path = PROJECT / "requirements.txt"
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.exists() else "unknown"


def _experiment(client: "MlflowClient") -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    assert found is not None, "open_client creates the experiment"
    return found.experiment_id
