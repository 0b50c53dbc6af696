"""Run every test on two cores.

    python .ci/tests.py [--coverage] [PYTEST ARGUMENT ...]

With `--coverage` it also reports how much of our own code ran; tracing that makes everything slower.

A file's tests stay in one worker: they share its Spark session, or its scheduler. The longest file,
the run through Airflow, comes first. (Groups of xdist 3.8 have no effect under pytest 9.2.)

The tests marked `kernel` then run once more, as on another processor: they decide by floats whose
last digits depend on it. Not where pytest arguments choose the tests.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COVERAGE = "--coverage"
ORDER = "--no-loadscope-reorder"  # xdist would begin with the files of most tests
PYTEST = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", ORDER]
# The plainest code that numpy, OpenBLAS, torch and oneDNN have for x86; others ignore the names.
OTHER_KERNEL = {
    "OPENBLAS_CORETYPE": "Prescott",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3,X86_V4",
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OMP_NUM_THREADS": "1",
}


def main() -> None:
    extra = [argument for argument in sys.argv[1:] if argument != COVERAGE]
    measured = COVERAGE in sys.argv
    if measured:
        run("coverage", "erase")
    traced = ["--cov", "--cov-report=", "--cov-append"] if measured else []
    code = subprocess.run([*PYTEST, "--durations=25", *traced, *extra], cwd=ROOT, check=False).returncode
    if measured:
        run("coverage", "report", "--skip-covered", "--sort=cover")
    sys.exit(code if extra else code or under_another_kernel())


def run(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT, check=False)


def under_another_kernel() -> int:
    """The exit code of the tests marked `kernel`."""
    print(f"once more, as on another processor: {OTHER_KERNEL}", flush=True)
    command = [*PYTEST, "-m", "kernel", "tests/unit/training"]
    return subprocess.run(command, cwd=ROOT, env=os.environ | OTHER_KERNEL, check=False).returncode


if __name__ == "__main__":
    main()
