"""Time one training of a published day, in one process and in two.

    TIDEMARK_HOME=... python tests/bench/bench_training.py --ds 2011-11-06 [--preset base]

Needs `training_examples`, `item_embeddings` and `items` of the day. Each job is a run of its own in
MLflow. Prints wall seconds and the largest memory of the job's processes.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

TORCHRUN = str(Path(sys.executable).with_name("torchrun"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ds", required=True)
    parser.add_argument("--preset", default="base")
    given = parser.parse_args()
    for processes in (1, 2):
        run = f"bench-{processes}-{time.time_ns()}"
        torchrun = [TORCHRUN, "--standalone", "--nproc-per-node", str(processes), "-m", "--"]
        job = ["training.train", "--ds", given.ds, "--run", run, "--preset", given.preset]
        began = time.monotonic()
        subprocess.run([*torchrun, *job], check=True)
        seconds = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(f"{processes} processes, {given.preset}: {seconds:.1f} s, peak {peak:.2f} GiB")


if __name__ == "__main__":
    main()
