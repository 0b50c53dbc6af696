"""The description of a run in MLflow: what was trained, then the results."""

from typing import TYPE_CHECKING

from training.registry.experiment import NOTE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def write_note(client: "MlflowClient", run_id: str, headline: str = "") -> None:
    """Sets the run's description; `headline` is the result of an evaluation, as Markdown."""
    text = "\n\n".join(part for part in (trained(client.get_run(run_id)), headline) if part)
    client.set_tag(run_id, NOTE, text)


def trained(run: "Run") -> str:
    """One sentence on how the model was made."""
    params, metrics = run.data.params, run.data.metrics
    start = params.get("job.init", "")
    said = [f"Preset **{params.get('preset.name', '?')}**, {'from ' + start if start else 'from scratch'}"]
    if params.get("job.platforms"):
        said.append(f"on {params['job.platforms']} alone")
    said.append(f"trained for {params.get('data.ds', '?')}")
    if "data.items" in params:
        said.append(f"{int(params['data.items']):,} items")
    if "model.parameters" in params:
        said.append(f"{int(params['model.parameters']):,} parameters")
    if "valid/best_loss" in metrics:
        epoch, loss = metrics["train/best_epoch"], metrics["valid/best_loss"]
        said.append(f"best validation loss {loss:.4f} in epoch {epoch:.0f}")
    return ", ".join(said) + "."
