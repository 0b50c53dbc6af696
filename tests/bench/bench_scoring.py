"""Time the scoring of a published day, bucket by bucket.

    TIDEMARK_HOME=... python tests/bench/bench_scoring.py --ds 2011-11-06 [--buckets 2]

Needs a champion, and `user_history`, `item_embeddings` and `items` of the day. Publishes nothing.
"""

import argparse
import resource
import subprocess
import sys
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ds", required=True)
    parser.add_argument("--buckets", type=int, default=2)
    given = parser.parse_args()
    job = [sys.executable, "-m", "training.score", "--ds", given.ds, "--run", "bench"]
    for bucket in range(given.buckets):
        began = time.monotonic()
        share = ["--bucket", str(bucket), "--buckets", str(given.buckets)]
        subprocess.run([*job, *share], check=True)
        seconds = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(f"bucket {bucket}: {seconds:.1f} s, peak {peak:.2f} GiB")


if __name__ == "__main__":
    main()
