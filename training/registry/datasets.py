"""The tables that a run read, as MLflow datasets: one day of a table at a snapshot."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import load_table
from pipeline.tables.registry import table_named
from training.registry.signature import schema_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, Run

SOURCE = "iceberg"
DIGEST = 12  # hex characters


def log_datasets(
    client: "MlflowClient", run_id: str, settings: Settings, ds: str, inputs: Mapping[str, int], context: str
) -> None:
    """Logs the day `ds` of each table of `inputs` (table -> snapshot); `context` says what they are for."""
    from mlflow.entities import DatasetInput, InputTag

    tags = [InputTag("mlflow.data.context", context)]
    found = [DatasetInput(dataset_of(settings, table, ds, snapshot), tags) for table, snapshot in inputs.items()]
    client.log_inputs(run_id, found)


def dataset_of(settings: Settings, table: str, ds: str, snapshot: int) -> "Dataset":
    """One day of a table. The digest is computed from its data files: another snapshot with the same files has the same
    digest."""
    from mlflow.entities import Dataset

    declared = table_named(table)
    iceberg = load_table(settings, declared)
    assert iceberg is not None, "training has just read it"
    planned = iceberg.scan(row_filter=f"ds == '{ds}'", snapshot_id=snapshot).plan_files()
    files = sorted((task.file.file_path.rsplit("/", 1)[-1], task.file.record_count) for task in planned)
    return Dataset(
        name=table,
        digest=hashlib.sha256(json.dumps([table, ds, files]).encode()).hexdigest()[:DIGEST],
        source_type=SOURCE,
        source=json.dumps({"table": table, "ds": ds, "snapshot_id": str(snapshot)}),
        schema=json.dumps({"mlflow_colspec": schema_of(declared.schema).to_dict()}),
        profile=json.dumps({"num_rows": sum(rows for _, rows in files), "snapshot_id": str(snapshot)}),
    )


def dataset_input(run: "Run", table: str) -> "DatasetInput | None":
    """What the run logged about a table, None if the run's version logged no datasets."""
    logged = run.inputs.dataset_inputs if run.inputs else []
    return next((it for it in logged if it.dataset.name == table), None)
