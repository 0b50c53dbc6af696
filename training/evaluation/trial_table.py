"""A table of trials, and the MLflow run that stores it."""

from collections.abc import Mapping

import numpy as np

from pipeline.runtime.settings import Settings
from training.evaluation.intervals import interval
from training.evaluation.trials import Trial
from training.registry.experiment import NOTE
from training.registry.runs import open_client, start_run

HEADINGS = (
    "",
    "trained / all parameters",
    "NDCG@10",
    "gain [95%]",
    "Recall@10",
    "cold Recall@50",
    "mean AUC",
    "CPU s",
)
KIND = "tidemark.comparison"
PROGRAMS = {"encoders": "training.compare_encoders", "modes": "training.compare_modes"}  # else training.ablate


def table(trials: list[Trial], base: str) -> str:
    """Markdown; gains are over the trial `base`, user by user."""
    against = next(trial for trial in trials if trial.name == base)
    rows = [HEADINGS, ("---",) * len(HEADINGS)]
    for trial in trials:
        figures = trial.figures()
        gain, low, high = interval(trial.quality.ndcg - against.quality.ndcg)
        rows.append(
            (
                trial.name,
                f"{trial.trainable:,} / {trial.parameters:,}",
                f"{figures['ndcg_10']:.4f}",
                "" if trial is against else f"{gain:+.4f} [{low:+.4f}, {high:+.4f}]",
                f"{figures['recall_10']:.4f}",
                f"{figures['cold_recall_50']:.4f} (n {trial.quality.wanted_cold})",
                f"{np.mean(list(trial.quality.auc.values()) or [np.nan]):.4f}",
                f"{trial.seconds:.0f}",
            )
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def record(
    settings: Settings,
    run: str,
    ds: str,
    kind: str,
    params: Mapping[str, object],
    trials: list[Trial],
    text: str,
) -> str:
    """One run of the experiment, with every figure as a metric; returns its id."""
    client = open_client(settings)
    run_id = start_run(client, run, ds, PROGRAMS.get(kind, "training.ablate"))
    client.set_tag(run_id, KIND, kind)
    for name, value in params.items():
        client.log_param(run_id, name, value)
    for trial in trials:
        for metric, value in trial.figures().items():
            client.log_metric(run_id, f"trials/{metric}/{trial.name}", value)
    client.set_tag(run_id, NOTE, f"Comparison of {', '.join(trial.name for trial in trials)}.\n\n{text}")
    client.log_text(run_id, text + "\n", "comparison/table.md")
    figures = {trial.name: trial.figures() for trial in trials}
    client.log_dict(run_id, figures, "comparison/table.json")
    client.set_terminated(run_id)
    return run_id
