"""Rows per second and peak memory of the sample generator.

    python tests/bench/bench_sample.py 100000 1000000 10000000

Each size runs in a process of its own, so that its peak memory is its own.
"""

import resource
import subprocess
import sys
import tempfile
import time


def measure(events: int) -> str:
    """One line of figures for a sample of 90 days."""
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        command = [sys.executable, __file__, "--child", out, str(events)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - began
    return f"{events:>11,} rows {seconds:7.1f} s {events / seconds:>9,.0f} rows/s {done.stdout}"


def child(out: str, events: int) -> None:
    """Generate, then print this process's peak memory."""
    from pathlib import Path

    from pipeline.sources.sample import generate

    generate(Path(out), events=events, days=90, seed=7)
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:6.0f} MiB peak")


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        child(sys.argv[2], int(sys.argv[3]))
    else:
        for size in sys.argv[1:]:
            print(measure(int(size)), end="")
