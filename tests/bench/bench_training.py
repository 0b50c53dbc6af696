"""Time one training of a published day, in one process and in two.

    TIDEMARK_HOME=... python -m tests.bench training --ds 2011-11-06 [--preset base]

Needs `training_examples`, `item_embeddings` and `items` of the day. Each job is a run of its own in
MLflow. Prints seconds, and the largest memory of the job's processes.
"""

import argparse
import time

from pipeline.orchestration import step_commands
from pipeline.orchestration.steps import TRAIN
from pipeline.runtime.settings import load_settings
from tests.bench.processes import measured_family


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ds", required=True)
    parser.add_argument("--preset", default="base")
    given = parser.parse_args()
    for processes in (1, 2):
        settings = load_settings().model_copy(update={"train_processes": processes})
        run = f"bench-{processes}-{time.time_ns()}"
        job = [*step_commands.job(TRAIN, settings, given.ds, given.ds, run), "--preset", given.preset]
        used = measured_family(job, step_commands.environment(settings))
        print(f"{processes} processes, {given.preset}: {used}", flush=True)


if __name__ == "__main__":
    main()
