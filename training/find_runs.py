"""List the runs that were trained on given snapshots.

    python -m training.find_runs < snapshots.json

Reads {"kept": {table: [snapshot, …]}, "held": {table: [snapshot, …]}} from standard input and prints one JSON line per
MLflow run: those whose recorded inputs are in `held` (`certain`), and those whose inputs are no longer kept, so nobody
can know (`possible`).
"""

import json
import sys
from typing import TYPE_CHECKING

from pipeline.runtime import program
from pipeline.runtime.settings import Settings, load_settings
from training.registry.origins import SNAPSHOT
from training.registry.runs import DS_TAG, EXPERIMENT, open_client
from training.registry.versions import version_of_run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

Snapshots = dict[str, list[int]]  # table -> snapshot ids


def trained_on(settings: Settings, held: Snapshots, kept: Snapshots) -> list[dict[str, str]]:
    """`run_id`, `ds`, `version` (empty when never registered) and `evidence` of each such run."""
    if not settings.mlflow_uri and not (settings.mlflow / "mlflow.db").exists():
        return []
    client = open_client(settings)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    runs = client.search_runs([experiment.experiment_id], max_results=50_000) if experiment else []
    evidence = {run.info.run_id: _evidence(run, held, kept) for run in runs}
    return [_described(client, run, evidence[run.info.run_id]) for run in runs if evidence[run.info.run_id]]


def _evidence(run: "Run", held: Snapshots, kept: Snapshots) -> str:
    tags = run.data.tags
    read = {name.removeprefix(SNAPSHOT): int(tags[name]) for name in tags if SNAPSHOT in name}
    if any(snapshot in held.get(table, []) for table, snapshot in read.items()):
        return "certain"
    gone = [table for table, snapshot in read.items() if snapshot not in kept.get(table, [snapshot])]
    return "possible" if gone else ""


def _described(client: "MlflowClient", run: "Run", evidence: str) -> dict[str, str]:
    run_id = str(run.info.run_id)
    version = version_of_run(client, run_id) or ""
    return {
        "run_id": run_id,
        "ds": run.data.tags.get(DS_TAG, ""),
        "version": version,
        "evidence": evidence,
    }


def main() -> None:
    asked = json.load(sys.stdin)
    for run in trained_on(load_settings(), asked["held"], asked["kept"]):
        print(json.dumps(run))


if __name__ == "__main__":
    program.run(main)
