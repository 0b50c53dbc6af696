"""Start the programs of a night where what they need is running already.

Spark jobs go to one process, whose session outlives them; commands of `python -m pipeline` to forks of a process that
has imported Great Expectations and the rest. Jobs for a cluster are submitted as ever.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.orchestration import step_commands
from pipeline.runtime.host import Host
from pipeline.runtime.processes import Processes
from pipeline.runtime.settings import Settings

PIPELINE = "pipeline"
IMPORTED = ("pipeline.commands.cli", "pipeline.storage.release", "pipeline.storage.audit.preload")


@contextmanager
def warm_processes(settings: Settings) -> Iterator[Processes]:
    """Processes with the environment of steps, for as long as several of them run one after the other."""
    python = Host([sys.executable, "-m", PIPELINE], "pipeline.runtime.host", PIPELINE, *IMPORTED)
    spark = Host(step_commands.spark_submit(settings, step_commands.java_options(settings)), "spark_jobs.engine.host")
    python.begin(environment(settings))  # imports while the first job runs
    hosts = [python, spark] if settings.spark_master.partition("[")[0] == "local" else [python]
    try:
        yield Processes(environment(settings), ways=[host.start for host in hosts])
    finally:
        for host in hosts:
            host.close()


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a step's process."""
    return {**os.environ, **step_commands.environment(settings)}
