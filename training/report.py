"""The evaluation of a challenger as it is kept with its MLflow run."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ModelError
from training.evaluation import Evaluation, Interval, Window, compare, evaluate_model
from training.examples import HEADS
from training.plots import calibration_figure, ranking_figure
from training.prediction import LISTS
from training.registry import CHAMPION, aliased, folder_of, version_of_run
from training.tracking import artifact_folder
from training.trained import load

if TYPE_CHECKING:
    from mlflow import MlflowClient

REPORT = "evaluation/report.json"


@dataclass(frozen=True)
class Report:
    """Figures with 95% intervals; `gains` over the champion where one could be run."""

    ds: str
    users: int
    ranked_users: int
    rankings: dict[str, Interval]
    propensities: dict[str, Interval]
    champion: str | None = None
    gains: dict[str, Interval] = field(default_factory=dict)
    champion_fails: str = ""  # why the champion could not be run on this day


@dataclass(frozen=True)
class Reign:
    """The champion at the time, and what the challenger gains over it."""

    champion: str | None = None
    gains: dict[str, Interval] = field(default_factory=dict)
    fails: str = ""


def against_champion(
    client: "MlflowClient", run_id: str, evaluation: Evaluation, window: Window
) -> Reign:
    """Judges the champion, where there is one, on the same users as the challenger."""
    champion = aliased(client, CHAMPION)
    if champion is None or champion == version_of_run(client, run_id):
        return Reign(champion)
    try:
        users = len(evaluation.judgement.users)
        reigning = evaluate_model(load(folder_of(client, champion)), window, users)
    except ModelError as error:  # it reads another text encoder, or its folder is gone
        return Reign(champion, fails=str(error))
    return Reign(champion, compare(evaluation, reigning))


def report_of(window: Window, evaluation: Evaluation, reign: Reign) -> Report:
    """All figures of an evaluation."""
    return Report(
        window.ds, len(window.examples), len(evaluation.judgement.users), evaluation.rankings(),
        evaluation.propensities(), reign.champion, reign.gains, reign.fails,
    )  # fmt: skip


def keep(client: "MlflowClient", run_id: str, report: Report, evaluation: Evaluation) -> None:
    """Logs metrics, plots and the report itself."""
    for name, (mean, low, high) in {**report.rankings, **report.propensities}.items():
        client.log_metric(run_id, f"test/{name}", mean)
        if "published" in name or "auc" in name:
            client.log_metric(run_id, f"test/{name}/low", low)
            client.log_metric(run_id, f"test/{name}/high", high)
    known = ~(evaluation.labels != evaluation.labels)
    pairs = {head: (evaluation.labels[known[:, c], c], evaluation.chances[known[:, c], c])
             for c, head in enumerate(HEADS)}  # fmt: skip
    figure = calibration_figure(
        {h: p[0] for h, p in pairs.items()}, {h: p[1] for h, p in pairs.items()}
    )
    client.log_figure(run_id, figure, "plots/calibration.png")
    for name in LISTS:
        client.log_figure(run_id, ranking_figure(name, of_list(report, name)), f"plots/{name}.png")
    client.log_text(run_id, json.dumps(asdict(report), indent=1), REPORT)


def of_list(report: Report, name: str, metric: str = "ndcg_10") -> dict[str, Interval]:
    """Ranker -> the metric's figures, for one published list."""
    return {
        key.split("/")[1]: figures
        for key, figures in report.rankings.items()
        if key.startswith(f"{name}/") and key.endswith(f"/{metric}")
    }


def kept(client: "MlflowClient", run_id: str) -> Report | None:
    """The report of a run, None when it was not evaluated."""
    path = artifact_folder(client, run_id, str(Path(REPORT).parent)) / Path(REPORT).name
    if not path.exists():
        return None
    return Report(**json.loads(path.read_text()))


def lines(report: Report) -> list[str]:
    """The report for a terminal."""
    text = [f"the 28 days up to {report.ds}: {report.users} users, {report.ranked_users} ranked"]
    for name in LISTS:
        text += [
            f"  {name:15} {ranker:16} NDCG@10 {mean:.4f} [{low:.4f}, {high:.4f}]  "
            f"Recall@10 {of_list(report, name, 'recall_10')[ranker][0]:.4f}"
            for ranker, (mean, low, high) in of_list(report, name).items()
        ]
    for head in HEADS:
        area, loss, error, rate = (
            report.propensities[f"{head}/{m}"][0] for m in ("auc", "log_loss", "ece", "rate")
        )
        text.append(
            f"  {head:15} rate {rate:.3f}  AUC {area:.4f}  log-loss {loss:.4f}  ECE {error:.4f}"
        )
    return text
