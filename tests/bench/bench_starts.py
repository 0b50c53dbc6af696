"""CPU seconds that programs take to start and to end, without any work.

    python tests/bench/bench_starts.py [--times 3]

The least of several: other work on the machine only adds to it.
"""

import argparse
import os
import subprocess
import sys

PROGRAMS = (
    "pipeline.storage.publish",
    "pipeline.storage.audit.command",
    "training.score",
    "training.train",
    "training.evaluate",
    "training.encode_items",
    "training.build_topics",
)
IMPORTS = {
    "Great Expectations, as an audit imports it": (
        "from pipeline.storage.audit.lean_import import lean\nwith lean(): import pipeline.storage.audit.suite"
    ),
    "Great Expectations, whole": "import pipeline.storage.audit.suite",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    times = parser.parse_args().times
    commands = {name: ["-m", name, "--help"] for name in PROGRAMS}
    commands |= {name: ["-c", code] for name, code in IMPORTS.items()}
    for name, command in commands.items():
        print(f"{name:44} {min(cpu_seconds(command) for _ in range(times)):5.2f} s")


def cpu_seconds(command: list[str]) -> float:
    """Of one run, its children left out."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
