"""Repeat a training run from what it recorded, and compare the figures.

    python -m training.reproduce RUN_ID [--tolerance 0.01]

Reads the preset, processes, earlier model and input snapshots of an MLflow run. Trains, and evaluates if the run was
evaluated, into a new run tagged `tidemark.reproduces`. Exits with 1 and lists the metrics that differ by more than the
tolerance, relative to the figure (or to 0.1 if the figure is smaller). The same machine gives the same figures; another
machine may round differently.
"""

import argparse
import os
import subprocess
import sys
import time

from pipeline.orchestration import step_commands
from pipeline.orchestration.graph import Step
from pipeline.orchestration.steps import EVALUATE, TRAIN
from pipeline.runtime import program
from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings, load_settings
from training.registry.metric_names import present_names
from training.registry.origins import Origin, check_inputs, code_differs, differences, origin_of
from training.registry.runs import needed_run, open_client, run_with_id

TOLERANCE = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_id", help="MLflow's id of a training run")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    given, settings = parser.parse_args(), load_settings()
    client = open_client(settings)
    original = run_with_id(client, given.run_id)
    origin = origin_of(original)
    for difference in code_differs(original):
        print(f"warning: another {difference}; figures may differ", file=sys.stderr)
    check_inputs(settings, origin)
    run = f"reproduce-{time.time_ns()}"
    start(TRAIN, settings, origin, run, "--reproduces", given.run_id)
    expected = present_names(original.data.metrics)
    if any(name.startswith("test/") for name in expected):
        start(EVALUATE, settings, origin, run)
    again = needed_run(client, run, origin.ds)
    apart = differences(expected, client.get_run(again).data.metrics, given.tolerance)
    if apart:
        raise ModelError(
            f"run {given.run_id}: {len(apart)} metrics of run {again} differ by more than "
            f"{given.tolerance:g}: {'; '.join(map(str, apart))}"
        )
    print(f"run {given.run_id}: run {again} has the same metrics within {given.tolerance:g}")


def start(step: Step, settings: Settings, origin: Origin, run: str, *more: str) -> None:
    """Runs one step with the processes and threads of the original."""
    same = settings.model_copy(update={"train_processes": origin.processes})
    command = [*step_commands.job(step, same, origin.ds, origin.ds, run), *more]
    threads = {"OMP_NUM_THREADS": str(origin.threads)}
    if subprocess.run(command, env={**os.environ, **threads}, check=False).returncode:
        raise ModelError(f"run {origin.run_id}: {step.name} failed, see above; fix it and try again")


if __name__ == "__main__":
    program.run(main)
