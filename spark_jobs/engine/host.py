"""Run Spark jobs one after the other in one session.

    python -m spark_jobs.engine.host REPLIES

A night has three Spark jobs, and on a small day each works for less time than Java takes to start and to warm up.
"""

import runpy
import sys
from pathlib import Path

from pyspark import SparkContext
from pyspark.sql import SparkSession

from pipeline.runtime import program
from pipeline.runtime.host import exit_code, serve


def run_job(command: list[str], log: str) -> tuple[int, int]:
    """Runs a job's file with its arguments as spark-submit would; returns its exit code and the peak in MB so far."""
    program.output_to(log)
    sys.argv = command
    code = exit_code(lambda: runpy.run_path(command[0], run_name="__main__"))
    if session := SparkSession.getActiveSession():
        session.catalog.clearCache()
    return code, peak_mb()


def peak_mb() -> int:
    """The largest resident set that this process or its Java has had."""
    gateway = SparkContext._gateway
    processes = ["self", *([str(gateway.proc.pid)] if gateway else [])]
    return max(_peak_kb(process) for process in processes) // 1024


def _peak_kb(process: str) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    serve(int(sys.argv[1]), run_job)
