"""The commands of every step: the same for Airflow, for `run`, and for a person at a prompt."""

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from pipeline.orchestration.graph import Step
from pipeline.orchestration.steps import ADAPT, TRAIN
from pipeline.runtime.proxies import past_proxies
from pipeline.runtime.settings import Settings

PROJECT = Path(__file__).resolve().parents[2]
BINARIES = Path(sys.executable).parent
AUDIT_FAILED = 4  # exit code of a release that refused what was staged: trying again is of no use
OVERTAKEN = 5  # exit code of a release whose inputs were published anew meanwhile: run the job again
NO_CHAMPION = 3  # exit code of `python -m training.champion --print`
SUPERSEDED = 3  # exit code of `python -m pipeline base-night --hour H`
LOGGING = PROJECT / "spark_jobs" / "engine" / "log4j2.properties"
QUIET = "error"  # the level that LOGGING has of itself
PYTHON = "python"  # in a DAG: the interpreter of whoever runs the command
UNPACKED = "environment"  # the folder in which an executor finds the packed environment
CLASS_ARCHIVE = Path(sys.prefix) / "spark-classes.jsa"  # see spark_jobs/class_archive.py


def program(step: Step) -> Path:
    """The Spark job's file."""
    return PROJECT / step.program


def arguments(step: Step, first: str, last: str, run: str) -> list[str]:
    """What every job is given: its partition keys and its run. Not daily: the last day."""
    until = ["--until", step.until] if step.until else []
    if first == last or not step.daily:
        return [f"--{step.key}", last, "--run", run, *until]
    return ["--from", first, "--to", last, "--run", run, *until]


def job(step: Step, settings: Settings, first: str, last: str, run: str) -> list[str]:
    """Computes the step and stages its tables. Steps that are not daily compute the last day."""
    given = arguments(step, first, last, run)
    if step.spark:
        return [*spark_submit(settings, java_options(settings)), str(program(step)), *given]
    if step in (TRAIN, ADAPT):
        processes = ["--nproc-per-node", str(settings.train_processes)]
        # Without "--" torchrun takes the job's --run for an abbreviation of its own --run-path.
        launch = [*_python("training.launch"), *processes, "-m", "--", step.program, *given]
        # More threads than cores spin: an epoch on two cores took three times as long.
        return ["env", "OMP_NUM_THREADS=1", *launch]
    return [*(_pipeline(step.command) if step.command else _python(step.program)), *given]


def spark_submit(settings: Settings, java: str) -> list[str]:
    """Submits the program that follows, its driver with the options `java`."""
    submit = [str(BINARIES / "spark-submit"), "--master", settings.spark_master]
    executors = [word for name, value in executor_options(settings).items() for word in ("--conf", f"{name}={value}")]
    return [*submit, "--driver-memory", settings.spark_memory, "--driver-java-options", java, *executors]


def executor_options(settings: Settings) -> dict[str, str]:
    """Spark's options for what executors on a cluster get; without settings the cluster's own hold."""
    least, _, most = settings.spark_executors.partition("-")
    number = (
        {
            "spark.dynamicAllocation.enabled": "true",
            "spark.dynamicAllocation.shuffleTracking.enabled": "true",  # no shuffle service is needed
            "spark.dynamicAllocation.minExecutors": least,
            "spark.dynamicAllocation.maxExecutors": most,
        }
        if most
        else {"spark.executor.instances": least}
    )
    if least and not most and settings.spark_executor_cores:  # a standalone cluster knows no number of executors
        number["spark.cores.max"] = str(int(least) * settings.spark_executor_cores)
    options = number | {
        "spark.executor.memory": settings.spark_executor_memory,
        "spark.executor.memoryOverhead": settings.spark_executor_overhead,
        "spark.executor.cores": str(settings.spark_executor_cores or ""),
        "spark.archives": f"{settings.spark_archives}#{UNPACKED}" if settings.spark_archives else "",
    }
    return {name: value for name, value in options.items() if value}


def java_options(settings: Settings) -> str:
    """The driver's Java options: what it logs, and the archive of classes where there is one."""
    level = settings.spark_log_level
    options = [settings.spark_java_options, f'"-Dlog4j2.configurationFile=file:{LOGGING}"']
    if level != QUIET:
        options += [f"-Dtidemark.log={level}", f"-Dtidemark.log.tasks={level}"]
    if CLASS_ARCHIVE.exists():
        options.append(f'"-XX:SharedArchiveFile={CLASS_ARCHIVE}"')
    return " ".join(options).strip()


def score_bucket(step: Step, settings: Settings, ds: str, run: str, bucket: int, version: str) -> list[str]:
    """Scores one bucket of users with one version of the model, side by side with the other buckets."""
    share = ["--bucket", str(bucket), "--buckets", str(settings.score_buckets)]
    return [*_python(step.program), *arguments(step, ds, ds, run), *share, "--model-version", version]


def release(step: Step, run: str) -> list[str]:
    """Audits what the step staged, then publishes it: one process for all tables of the step."""
    tables = [argument for table in step.writes for argument in ("--table", table)]
    return [*_pipeline("release"), *tables, "--run", run]


def champion(ds: str, version: str = "") -> list[str]:
    """Prints the version that scores the day: `version`, else its champion; exit code NO_CHAMPION if there was none."""
    return [*_python("training.champion"), "--print", "--ds", ds, "--model-version", version]


def trained_on() -> list[str]:
    """Lists the training runs that read the snapshots named on standard input."""
    return _python("training.find_runs")


def base_night(hour: str) -> list[str]:
    """Prints what the refresh of an hour goes on from; exit code SUPERSEDED when there is none."""
    return [*_pipeline("base-night"), "--hour", hour]


def maintenance() -> list[str]:
    """Expires old snapshots and removes files that nothing refers to."""
    return _pipeline("maintenance")


def repair() -> list[str]:
    """Makes again what is stale."""
    return _pipeline("repair")


def environment(settings: Settings) -> dict[str, str]:
    """What a job's process finds in its environment besides what it inherits."""
    spark = find_spec("pyspark")
    assert spark is not None and spark.origin is not None, "installed by requirements.txt"
    return {
        "TIDEMARK_HOME": str(settings.home),
        "PATH": f"{BINARIES}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_HOME": os.environ.get("SPARK_HOME", str(Path(spark.origin).parent)),  # else looked for by a Python
        "PYTHONUNBUFFERED": "1",
        "TIDEMARK_ALLOW_EMPTY": str(settings.allow_empty).lower(),
        "TIDEMARK_FORGET_VANISHED": str(settings.forget_vanished).lower(),
        "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
        **past_proxies(),
    }


def portable(command: Sequence[str]) -> list[str]:
    """The command as a DAG holds it, which one machine reads and another runs."""
    return [PYTHON if word == sys.executable else word for word in command]


def on_this_machine(command: Sequence[str]) -> list[str]:
    """A command that a DAG holds, with the interpreter of this process."""
    return [sys.executable if word == PYTHON else word for word in command]


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def _pipeline(command: str) -> list[str]:
    """A command of `python -m pipeline`."""
    return [*_python("pipeline"), *command.split()]
