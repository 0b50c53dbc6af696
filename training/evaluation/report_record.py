"""Turns an evaluation into what MLflow stores: metrics, tables, plots, the report."""

import json
import math
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline.runtime.errors import ModelError
from pipeline.tables.registry import TRAINING_EXAMPLES
from training.data.users import HEADS
from training.evaluation.challenger import Evaluation, HeldOutWindow, compare, evaluate_model
from training.evaluation.contest import best_rankers, head_verdicts, list_verdicts
from training.evaluation.headline import headline, note, verdict
from training.evaluation.pages import html, markdown
from training.evaluation.plots import (
    calibration_figure,
    ranking_figure,
    slice_figure,
    staleness_figure,
)
from training.evaluation.report import REPORT, Audit, Interval, Report, lists_of, of_list
from training.evaluation.staleness import staleness
from training.model.model import load
from training.registry import metric_names as names
from training.registry.datasets import dataset_input
from training.registry.logged_models import model_of
from training.registry.notes import write_note
from training.registry.versions import CHAMPION, aliased, folder_of, version_of_run

if TYPE_CHECKING:
    from mlflow import MlflowClient

FAIRNESS = "evaluation/fairness.json"  # a table, as MLflow shows it
METRICS_AT_ONCE = 500
VERDICT = "tidemark.verdict"  # a line that a comparison of runs shows next to each other


@dataclass(frozen=True)
class Reign:
    """The champion at the time, and the challenger's gains over it."""

    champion: str | None = None
    gains: dict[str, Interval] = field(default_factory=dict)
    fails: str = ""


def against_champion(client: "MlflowClient", run_id: str, evaluation: Evaluation, window: HeldOutWindow) -> Reign:
    """Judges the champion, where there is one, on the same users as the challenger."""
    champion = aliased(client, CHAMPION)
    if champion is None or champion == version_of_run(client, run_id):
        return Reign(champion)
    try:
        users = len(evaluation.judged.rows)
        trained = load(folder_of(client, champion))
        reigning = evaluate_model(trained, window, users, baselines=False)
    except ModelError as error:  # it uses another text encoder, or its folder is gone
        return Reign(champion, fails=str(error))
    return Reign(champion, compare(evaluation, reigning))


def report_of(window: HeldOutWindow, evaluation: Evaluation, reign: Reign, fairness: Audit) -> Report:
    """All figures of an evaluation."""
    verdicts, slices = list_verdicts(evaluation, window.examples)
    followed = best_rankers(verdicts)
    aged = staleness(evaluation.judged, window.examples, evaluation.chances, followed)
    return Report(
        window.ds,
        len(window.examples),
        len(evaluation.judged.rows),
        evaluation.rankings(),
        evaluation.propensities(),
        reign.champion,
        reign.gains,
        reign.fails,
        evaluation.propensity_baselines(),
        verdicts + head_verdicts(evaluation),
        slices,
        aged.weeks,
        aged.days,
        fairness,
    )


def keep(client: "MlflowClient", run_id: str, report: Report, evaluation: Evaluation) -> None:
    """Logs metrics, plots, tables, the report itself and the run's description."""
    log_metrics(client, run_id, metrics_of(report))
    write_note(client, run_id, note(report))
    client.set_tag(run_id, VERDICT, verdict(report))
    known = ~np.isnan(evaluation.labels)
    pairs = {
        head: (evaluation.labels[known[:, c], c], evaluation.chances[known[:, c], c]) for c, head in enumerate(HEADS)
    }
    figures = {"calibration": calibration_figure(pairs), "staleness": staleness_figure(report)}
    for name in lists_of(report):
        figures[name] = ranking_figure(name, of_list(report, name))
        figures[f"{name}_slices"] = slice_figure(report, name)
    for name, figure in figures.items():
        client.log_figure(run_id, figure, f"plots/{name}.png")
    client.log_text(run_id, markdown(report), "evaluation/report.md")
    client.log_text(run_id, html(report), "evaluation/report.html")
    client.log_text(run_id, json.dumps(asdict(report), indent=1), REPORT)
    if report.fairness:
        client.log_table(run_id, rows_of(report.fairness), FAIRNESS)


def metrics_of(report: Report) -> dict[str, float]:
    """The headline figures, then every figure of all users; bounds of the published ones, and gains, by name."""
    found = headline(report)
    for path, interval in report.rankings.items():
        found |= _with_bounds(names.of_list(path), interval, "/published/" in path)
    for path, interval in report.propensities.items():
        found |= _with_bounds(f"{names.HEADS}{path}", interval, True)
    found |= {f"{names.BASELINES}{path}": x[0] for path, x in report.propensity_baselines.items()}
    for v in report.verdicts:
        found[f"{names.GAINS}over_best_baseline/{v.question}/{v.slice}/{v.metric}"] = v.gain[0]
    found |= {names.of_slice(path): x[0] for path, x in report.slices.items() if "/published/" in path}
    for path, weeks in report.weeks.items():
        found |= {f"{names.STALENESS}{path}_week_{n}": x[0] for n, x in enumerate(weeks, 1)}
    found |= {f"{names.GAINS}over_champion/{name}": gain[0] for name, gain in report.gains.items()}
    if report.fairness:
        for path, interval in report.fairness.measures.items():
            found |= _with_bounds(names.of_audit(path), interval, True)
        for it in report.fairness.groups:
            for metric, interval in it.figures.items():
                found |= _with_bounds(
                    names.of_audit(f"{it.side}/{it.by}/{names.quoted(it.name)}/{metric}"), interval, True
                )
    return {name: value for name, value in found.items() if not math.isnan(value)}


def rows_of(fairness: Audit) -> dict[str, list[str | int | float | None]]:
    """The audit as columns: a row for each group and figure, then one for each measure, without group."""
    rows: list[tuple[str | int | float | None, ...]]
    rows = [(g.side, g.by, g.name, g.users, m, *x) for g in fairness.groups for m, x in g.figures.items()]
    rows += [("measures", "", "", None, path, *x) for path, x in fairness.measures.items()]
    heads = ("side", "by", "group", "users", "figure", "value", "low", "high")
    return (
        {
            head: [None if cell != cell else cell for cell in cells]
            for head, cells in zip(heads, zip(*rows, strict=True), strict=True)
        }
        if rows
        else {head: [] for head in heads}
    )


def _with_bounds(name: str, interval: Interval, bounds: bool) -> dict[str, float]:
    middle, low, high = interval
    return {name: middle} | ({f"{name}_low": low, f"{name}_high": high} if bounds else {})


def log_metrics(client: "MlflowClient", run_id: str, metrics: dict[str, float]) -> None:
    """Logs in few calls: one per metric would take longer than the evaluation.

    Headline figures are also logged for the run's model and for the examples that it was judged on.
    """
    from mlflow.entities import Metric

    now, run = int(time.time() * 1000), client.get_run(run_id)
    about: dict[str, str] = {}
    examples, model_id = dataset_input(run, TRAINING_EXAMPLES.name), model_of(run)
    if examples and model_id:
        dataset = examples.dataset
        about = {"model_id": model_id, "dataset_name": dataset.name, "dataset_digest": dataset.digest}
    entities = [
        Metric(name, value, now, 0, run_id=run_id, **(about if name.startswith(names.HEADLINE) else {}))
        for name, value in metrics.items()
    ]
    for start in range(0, len(entities), METRICS_AT_ONCE):
        client.log_batch(run_id, entities[start : start + METRICS_AT_ONCE])
