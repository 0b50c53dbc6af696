"""What MLflow stores of a training job: parameters, metrics, plots, inputs and the model."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import torch
from matplotlib.figure import Figure

from pipeline.runtime.settings import Settings
from training.data import distributed
from training.fitting.checkpoints import Progress
from training.fitting.data import TrainingData
from training.fitting.fit_model import Fitted
from training.fitting.plan import Plan
from training.registry.datasets import log_datasets
from training.registry.experiment import NOTE
from training.registry.logged_models import log_model
from training.registry.metric_names import of_member
from training.registry.notes import write_note
from training.registry.origins import REPRODUCES, SNAPSHOT
from training.registry.signature import describe

if TYPE_CHECKING:
    from mlflow import MlflowClient

SYSTEM_SECONDS = 5
BATCH = 1000  # metrics that MLflow takes at once


class RunRecord:
    """Writes to one MLflow run while a job trains."""

    def __init__(self, client: "MlflowClient", run_id: str) -> None:
        self.client, self.run_id = client, run_id
        self._logged_steps: dict[int, int] = {}  # of each member
        self._began = time.monotonic()

    def describe(self, data: TrainingData, plan: Plan, settings: Settings) -> None:
        """Logs parameters and inputs: enough to run the job again and to see what it read."""
        known = {f"preset.{name}": value for name, value in asdict(plan.preset).items()}
        known |= {
            "data.ds": data.ds,
            "data.items": len(data.catalogue),
            "data.vocabulary": len(data.vocabulary.item_ids),
            "data.encoder": data.catalogue.encoder,
            "job.init": plan.init,
            "job.platforms": ",".join(plan.scope.platforms),
            "job.processes": distributed.world(),
            "job.device": "cuda" if torch.cuda.is_available() else "cpu",
            "job.threads": torch.get_num_threads(),
        }
        # A resumed run keeps its first parameters: it may have fewer threads now.
        begun = self.client.get_run(self.run_id).data.params
        for name, value in known.items():
            if name not in begun:
                self.client.log_param(self.run_id, name, value)
        for table, snapshot in data.inputs.items():
            self.client.set_tag(self.run_id, f"{SNAPSHOT}{table}", snapshot)
        log_datasets(self.client, self.run_id, settings, data.ds, data.inputs, "training")
        if plan.reproduces:
            self.client.set_tag(self.run_id, REPRODUCES, plan.reproduces)
        for head, rate in data.constant_heads.items():
            self.client.set_tag(self.run_id, f"tidemark.constant.{head}", rate)

    def epoch(self, member: int, progress: Progress) -> None:
        """Logs the steps and the validation of one epoch of one member of the ensemble."""
        train_loss = of_member(member, "train/loss")
        if member not in self._logged_steps:  # an earlier attempt may have logged some
            known = self.client.get_metric_history(self.run_id, train_loss)
            self._logged_steps[member] = len(known)
        new = list(enumerate(progress.steps))[self._logged_steps[member] :]
        self._logged_steps[member] = len(progress.steps)
        self.metrics({}, [(train_loss, loss, step) for step, loss in new])
        last = progress.curve[-1]
        valid = {of_member(member, f"valid/{name}"): x for name, x in last.items() if name != "epoch"}
        memory = psutil.Process().memory_info().rss / 2**30
        seconds = time.monotonic() - self._began
        self.metrics({**valid, "train/memory_gb": memory, "train/seconds": seconds}, step=len(progress.steps))
        train = sum(loss for _, loss in new) / max(1, len(new))
        prefix = f"member_{member}/" if member else ""
        print(
            f"{prefix}epoch {progress.epoch}: train {train:.4f}, valid items {last['items']:.4f}, "
            f"heads {last['heads']:.4f}, {seconds:.0f} s",
            flush=True,
        )

    def metrics(
        self,
        values: dict[str, float],
        series: list[tuple[str, float, int]] | None = None,
        step: int = 0,
    ) -> None:
        """Logs values at `step`, or a series of (name, value, step)."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        points = [(name, value, step) for name, value in values.items()] + (series or [])
        entries: list[Metric] = [Metric(name, value, now, at) for name, value, at in points]
        for start in range(0, len(entries), BATCH):
            self.client.log_batch(self.run_id, metrics=entries[start : start + BATCH])

    def finish(self, fitted: Fitted, folder: Path) -> None:
        """Logs the model, the other results of training, and a first description of the run."""
        for member, progress in enumerate(fitted.progress):
            suffix = f"_{member}" if member else ""
            best = {"train/best_epoch": progress.best_epoch, "valid/best_loss": progress.best_loss}
            self.metrics({of_member(member, name): value for name, value in best.items()})
            self.client.log_figure(self.run_id, loss_figure(progress), f"plots/loss{suffix}.png")
        self.metrics({f"valid_forgetting/{name}": value for name, value in fitted.forgetting.items()})
        for name, value in asdict(fitted.privacy).items() if fitted.privacy else ():
            self.metrics({f"train_privacy/{name}": value})
        parameters = sum(weights.numel() for weights in fitted.model.parameters())
        self.client.log_param(self.run_id, "model.parameters", parameters)
        describe(folder, self.run_id)
        self.client.log_artifacts(self.run_id, str(folder), "model")
        log_model(self.client, self.run_id, folder)
        if NOTE not in self.client.get_run(self.run_id).data.tags:  # a retry keeps what an evaluation added
            write_note(self.client, self.run_id)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Samples CPU, memory, disk and GPU while the job runs; sets the run's status when it ends."""
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        monitor = SystemMetricsMonitor(self.run_id, sampling_interval=SYSTEM_SECONDS, resume_logging=True)
        monitor.start()
        outcome = "FAILED"
        try:
            yield
            outcome = "FINISHED"
        finally:
            monitor.finish()
            self.client.set_terminated(self.run_id, outcome)


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
