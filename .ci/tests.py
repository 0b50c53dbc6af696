"""Run every test on two cores, and report coverage of our own code.

    python .ci/tests.py [PYTEST ARGUMENT ...]

A file's tests stay in one worker: they share its Spark session, or its scheduler. The longest file,
the run through Airflow, comes first. (Groups of xdist 3.8 have no effect under pytest 9.2.)
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ORDER = "--no-loadscope-reorder"  # xdist would begin with the files of most tests


def main() -> None:
    extra = sys.argv[1:]
    coverage = ["--cov", "--cov-report=", "--cov-append"]
    subprocess.run([sys.executable, "-m", "coverage", "erase"], cwd=ROOT, check=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "2",
        "--dist",
        "loadfile",
        ORDER,
        "--durations=12",
        *coverage,
        *extra,
    ]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    subprocess.run(
        [sys.executable, "-m", "coverage", "report", "--skip-covered", "--sort=cover"],
        cwd=ROOT,
        check=False,
    )
    sys.exit(code)


if __name__ == "__main__":
    main()
