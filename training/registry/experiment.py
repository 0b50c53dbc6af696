"""How MLflow's UI shows the experiment: as model training, with a view of the headline figures."""

import json
from typing import TYPE_CHECKING

from training.registry.metric_names import COLUMNS, HEADLINE

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOTE = "mlflow.note.content"  # the description of a run or an experiment, in Markdown
KIND = "mlflow.experimentKind"
VIEW = "headline"  # id of the saved view, for links


def saved_view() -> str:
    """The runs with their headline figures as columns, as the UI saves a view."""
    columns = [f"metrics.`{HEADLINE}{name}`" for name in COLUMNS] + ["attributes.`Models`"]
    state = {"selectedColumns": columns}
    return json.dumps({"name": "Headline figures", "createdAt": 0, "updatedAt": 0, "state": json.dumps(state)})


EXPERIMENT_TAGS = {
    KIND: "custom_model_development",
    "mlflow.experiment.primaryMetric.name": f"{HEADLINE}{COLUMNS[0]}",
    f"mlflow.sharedViewState.{VIEW}": saved_view(),
    NOTE: (
        "One run for each training of the interest model; hourly learning and comparisons of presets are runs, too. "
        "The view *Headline figures* shows the metrics `test/...`, measured on later days than the model learned "
        "from: `..._vs_best_baseline` and `..._vs_champion` are gains, above zero is better. The description of a "
        "run has their 95% intervals."
    ),
}


def hide_default(client: "MlflowClient") -> None:
    """Deletes the experiment that MLflow makes in every new store, unless it is in use.

    It would keep its artifacts wherever the first program happened to be started.
    """
    found = client.get_experiment_by_name("Default")
    if found is None or found.lifecycle_stage == "deleted":
        return
    if not client.search_runs([found.experiment_id], max_results=1):
        client.delete_experiment(found.experiment_id)
