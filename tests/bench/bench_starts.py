"""CPU seconds that programs take to start and to end, without any work.

    python -m tests.bench starts [--times 3]

The least of several: other work on the machine only adds to it.
"""

import argparse
import sys

from pipeline.orchestration import step_commands
from pipeline.orchestration.steps import STEPS, TRAIN
from pipeline.runtime.settings import load_settings
from tests.bench.processes import measured

IMPORTS = {
    "import Great Expectations, as an audit does": (
        "from pipeline.storage.audit.lean_import import lean\nwith lean(): import pipeline.storage.audit.suite"
    ),
    "import Great Expectations whole": "import pipeline.storage.audit.suite",
}


def commands() -> dict[str, list[str]]:
    """Of the steps that are neither Spark nor torchrun, and of their release: with `--help`."""
    settings = load_settings()
    found = {
        step.program: step_commands.job(step, settings, "2024-03-05", "2024-03-05", "bench")
        for step in STEPS
        if not step.spark and step is not TRAIN
    }
    found["release"] = step_commands.release(STEPS[0], "bench")
    return {name: [*command, "--help"] for name, command in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3)
    times = parser.parse_args().times
    everything = commands() | {name: [sys.executable, "-c", code] for name, code in IMPORTS.items()}
    for name, command in everything.items():
        seconds = min(measured(command).cpu_seconds for _ in range(times))
        print(f"{name:44} {seconds:5.2f} s", flush=True)


if __name__ == "__main__":
    main()
