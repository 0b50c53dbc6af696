"""What MLflow stores of hourly learning: one run per day, with metrics by hour (step = hour)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from training.hourly.line import Row
from training.hourly.update import Steps
from training.registry.origins import SNAPSHOT
from training.registry.runs import start_run

if TYPE_CHECKING:
    from mlflow import MlflowClient

RUN = "hourly-learning"
GAINS = ("serving_gain", "candidate_gain", "older_gain")


class Record:
    """The run of a day."""

    def __init__(self, client: "MlflowClient", ds: str) -> None:
        self.client, self.run_id = client, start_run(client, RUN, ds, "training.learn_hourly")
        known = client.get_run(self.run_id).data.params
        for name, value in asdict(Steps()).items():
            if f"hourly.{name}" not in known:
                client.log_param(self.run_id, f"hourly.{name}", value)

    @contextmanager
    def running(self) -> Iterator["Record"]:
        """Sets the run's status when the hour ends."""
        outcome = "FAILED"
        try:
            yield self
            outcome = "FINISHED"
        finally:
            self.client.set_terminated(self.run_id, outcome)

    def judged(self, row: Row, inputs: dict[str, int]) -> None:
        """Logs the hour's figures and the snapshots read; the last snapshots of a day cover all its users."""
        step = int(str(row["hour"])[-2:])
        figures = {name: row[name] for name in (*GAINS, "users", "events")}
        judged: list[Row] = row["judged"]  # type: ignore[assignment]
        names = ("candidate", "serving", "base_version")  # the last wins: it may be what served
        roles = {row[name]: name.removesuffix("_version") for name in names}
        for each in judged:
            role = roles[each["version"]]
            figures |= {f"{role}/{metric}": each[metric] for metric in ("loss", "recall")}
        for name, value in figures.items():
            if value is not None:
                self.client.log_metric(self.run_id, f"hour/{name}", float(str(value)), step=step)
        for table, snapshot in inputs.items():
            self.client.set_tag(self.run_id, f"{SNAPSHOT}{table}", snapshot)
