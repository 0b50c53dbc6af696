"""Run every test, in two parts, and report coverage of our own code once.

    python .ci/tests.py [PYTEST ARGUMENT ...]

Tests that share one Spark session or drive a scheduler run one after another; the others beside
them, so that two cores are used.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    extra = sys.argv[1:]
    coverage = ["--cov", "--cov-report=", "--cov-append"]
    subprocess.run([sys.executable, "-m", "coverage", "erase"], cwd=ROOT, check=True)
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", *coverage, *extra]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    subprocess.run(
        [sys.executable, "-m", "coverage", "report", "--skip-covered", "--sort=cover"],
        cwd=ROOT,
        check=False,
    )
    sys.exit(code)


if __name__ == "__main__":
    main()
