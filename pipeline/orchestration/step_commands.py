"""The commands of every step: the same for Airflow, for `run`, and for a person at a prompt."""

import os
import sys
from pathlib import Path

from pipeline.orchestration.steps import TRAIN, Step
from pipeline.runtime.settings import Settings

PROJECT = Path(__file__).resolve().parents[2]
BINARIES = Path(sys.executable).parent
NO_CHAMPION = 3  # exit code of `python -m training.champion --print`
SUPERSEDED = 3  # exit code of `python -m pipeline.intraday.base --hour H`
CLASS_ARCHIVE = Path(sys.prefix) / "spark-classes.jsa"  # see spark_jobs/class_archive.py


def program(step: Step) -> Path:
    """The Spark job's file."""
    return PROJECT / step.program


def arguments(step: Step, first: str, last: str, run: str) -> list[str]:
    """What every job is told: its partition keys and its run. Not daily: the last day."""
    if first == last or not step.daily:
        return [f"--{step.key}", last, "--run", run]
    return ["--from", first, "--to", last, "--run", run]


def job(step: Step, settings: Settings, first: str, last: str, run: str) -> list[str]:
    """Computes the step and stages its tables. Steps that are not daily compute the last day."""
    given = arguments(step, first, last, run)
    if step.spark:
        return [*spark_submit(settings, java_options(settings)), str(program(step)), *given]
    if step is TRAIN:
        processes = ["--standalone", "--nproc-per-node", str(settings.train_processes)]
        # Without "--" torchrun takes the job's --run for an abbreviation of its own --run-path.
        torchrun = [str(BINARIES / "torchrun"), *processes, "-m", "--", step.program, *given]
        # More threads than cores spin: an epoch on two cores took three times as long.
        return ["env", "OMP_NUM_THREADS=1", *torchrun]
    return [*_python(step.program), *given]


def spark_submit(settings: Settings, java: str) -> list[str]:
    """Submits the program that follows, its driver with the options `java`."""
    submit = [str(BINARIES / "spark-submit"), "--master", settings.spark_master]
    return [*submit, "--driver-memory", settings.spark_memory, "--driver-java-options", java]


def java_options(settings: Settings) -> str:
    """The driver's Java options, with the archive of classes where there is one."""
    archive = f'"-XX:SharedArchiveFile={CLASS_ARCHIVE}"' if CLASS_ARCHIVE.exists() else ""
    return f"{settings.spark_java_options} {archive}".strip()


def score_bucket(step: Step, settings: Settings, ds: str, run: str, bucket: int, version: str) -> list[str]:
    """Scores one bucket of users with one version of the model, beside the other buckets."""
    threads = max(1, (os.cpu_count() or 1) // settings.score_buckets)
    share = ["--bucket", str(bucket), "--buckets", str(settings.score_buckets)]
    given = [*arguments(step, ds, ds, run), *share, "--model-version", version]
    return ["env", f"OMP_NUM_THREADS={threads}", *_python(step.program), *given]


def audit(step: Step, run: str) -> list[str]:
    """Checks what the step staged; its tables share one process."""
    return [*_python("pipeline.storage.audit.command"), *_tables(step), "--run", run]


def publish(step: Step, run: str) -> list[str]:
    """Makes what was audited visible."""
    return [*_python("pipeline.storage.publish"), *_tables(step), "--run", run]


def champion() -> list[str]:
    """Prints the champion's version; exit code NO_CHAMPION when there is none."""
    return [*_python("training.champion"), "--print"]


def trained_on() -> list[str]:
    """Lists the training runs that read the snapshots named on standard input."""
    return _python("training.find_runs")


def summary(ds: str) -> list[str]:
    """Prints what the night of `ds` published."""
    return [*_python("pipeline.report.summary"), "--ds", ds]


def base_night(hour: str) -> list[str]:
    """Prints what the refresh of an hour goes on from; exit code SUPERSEDED when there is none."""
    return [*_python("pipeline.intraday.base"), "--hour", hour]


def maintenance() -> list[str]:
    """Expires old snapshots and removes files that nothing refers to."""
    return _python("pipeline.storage.maintenance")


def environment(settings: Settings) -> dict[str, str]:
    """What a job's process finds in its environment besides what it inherits."""
    return {
        "TIDEMARK_HOME": str(settings.home),
        "PATH": f"{BINARIES}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONUNBUFFERED": "1",
        "TIDEMARK_ALLOW_EMPTY": str(settings.allow_empty).lower(),
        "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
    }


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def _tables(step: Step) -> list[str]:
    return [argument for table in step.tables for argument in ("--table", table)]
