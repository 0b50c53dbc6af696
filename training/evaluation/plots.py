"""Figures of a training run."""

import numpy as np
from matplotlib.figure import Figure

from training.evaluation.metrics import calibration_bins
from training.evaluation.report import Interval, Report, Verdict


def calibration_figure(heads: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Predicted probability against the observed share; head -> labels, probabilities."""
    across = 4
    down = max(1, -(-len(heads) // across))
    figure = Figure(figsize=(3 * across, 3 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes in panels[len(heads) :]:
        axes.set_axis_off()
    for axes, (head, (labels, chances)) in zip(panels, heads.items(), strict=False):
        predicted, found, rows = calibration_bins(labels, chances)
        axes.plot([0, 1], [0, 1], color="0.8")
        axes.plot(predicted, found, "o-")
        axes.set(title=f"{head} ({rows.sum()} users)", xlabel="predicted", ylabel="found")
    return figure


def ranking_figure(name: str, rankers: dict[str, Interval]) -> Figure:
    """NDCG@10 of each ranker with its 95% interval."""
    figure = Figure(figsize=(7, 1 + 0.28 * len(rankers)), layout="constrained")
    axes = figure.subplots()
    means = np.array([rankers[ranker] for ranker in rankers])
    errors = np.stack([means[:, 0] - means[:, 1], means[:, 2] - means[:, 0]])
    colours = ["0.3" if ranker == "published" else "0.75" for ranker in rankers]
    axes.barh(list(rankers), means[:, 0], xerr=np.nan_to_num(errors), color=colours)
    axes.invert_yaxis()
    axes.set(xlabel="NDCG@10, 95% interval over users", title=name)
    return figure


def slice_figure(report: Report, name: str) -> Figure:
    """Recall@10 of the published list and of the best baseline, slice by slice."""
    found = [v for v in report.verdicts if v.question == name and v.metric == "recall_10"]
    figure = Figure(figsize=(8, 1 + 0.5 * len(found)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(found))
    for shift, label, colour in ((-0.2, "published", "0.3"), (0.2, "best baseline", "0.75")):
        means = np.array([_shown(v, label) for v in found]).reshape(-1, 3)
        errors = np.stack([means[:, 0] - means[:, 1], means[:, 2] - means[:, 0]])
        axes.barh(places + shift, means[:, 0], 0.4, xerr=errors, color=colour, label=label)
    axes.set_yticks(places, [f"{v.slice} ({v.users})\n{v.best}" for v in found])
    axes.invert_yaxis()
    axes.set(xlabel="Recall@10, 95% interval over users", title=f"{name} by slice")
    axes.legend()
    return figure


def staleness_figure(report: Report) -> Figure:
    """NDCG@10 of lists made at one moment, on each day and week after it."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    middles = np.array([4, 11, 18, 25])
    for path, days in report.days.items():
        weeks = np.array(report.weeks[f"{path}/ndcg_10"])
        errors = np.stack([weeks[:, 0] - weeks[:, 1], weeks[:, 2] - weeks[:, 0]])
        line = axes.errorbar(middles, weeks[:, 0], np.nan_to_num(errors), fmt="o-", label=path)
        axes.plot(np.arange(1, len(days) + 1), days, ".", color=line[0].get_color(), alpha=0.4)
    axes.set(xlabel="days after scoring", ylabel="NDCG@10", title="lists that grow old")
    axes.legend()
    return figure


def _shown(verdict: Verdict, label: str) -> Interval:
    return verdict.published if label == "published" else verdict.best_figure
