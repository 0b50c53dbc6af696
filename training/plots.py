"""Figures of a training run."""

import numpy as np
from matplotlib.figure import Figure

from training.checkpoints import Progress
from training.metrics import calibration_bins

Interval = tuple[float, float, float]


def loss_figure(progress: Progress) -> Figure:
    """Training loss of each step, validation loss of each epoch."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(progress.steps, linewidth=0.7, color="0.6", label="training step")
    ends = np.arange(1, len(progress.curve) + 1) * len(progress.steps) / max(1, len(progress.curve))
    axes.plot(ends, [record["total"] for record in progress.curve], "o-", label="validation")
    axes.set(xlabel="step", ylabel="loss (nats)", title=f"best epoch {progress.best_epoch}")
    axes.legend()
    return figure


def calibration_figure(labels: dict[str, np.ndarray], chances: dict[str, np.ndarray]) -> Figure:
    """Predicted probability against the share that came true, one panel per head."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    for axes, head in zip(figure.subplots(2, 3).flat, labels, strict=False):
        predicted, found, rows = calibration_bins(labels[head], chances[head])
        axes.plot([0, 1], [0, 1], color="0.8")
        axes.plot(predicted, found, "o-")
        axes.set(title=f"{head} ({rows.sum()} users)", xlabel="predicted", ylabel="found")
    return figure


def ranking_figure(name: str, rankers: dict[str, Interval]) -> Figure:
    """NDCG@10 of each ranker with its 95% interval."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    means = np.array([rankers[ranker] for ranker in rankers])
    errors = np.stack([means[:, 0] - means[:, 1], means[:, 2] - means[:, 0]])
    axes.barh(list(rankers), means[:, 0], xerr=np.nan_to_num(errors), color="0.7")
    axes.invert_yaxis()
    axes.set(xlabel="NDCG@10, 95% interval over users", title=name)
    return figure
