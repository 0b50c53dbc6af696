"""Rows per second and peak memory of the sample generator.

    python -m tests.bench sample [100000 1000000 10000000]

A sample has 90 days. Each size runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import tempfile
from pathlib import Path

from pipeline.sources.sample import generate
from tests.bench.processes import again, measured

DAYS, SEED = 90, 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=[100_000], metavar="ROWS")
    parser.add_argument("--out", type=Path, help="write the first size there, and measure nothing")
    given = parser.parse_args()
    if given.out:
        generate(given.out, events=given.sizes[0], days=DAYS, seed=SEED)
        return
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as out:
            used = measured(again("sample", "--out", out, size))
        print(
            f"{size:>11,} rows {used.seconds:7.1f} s {size / used.seconds:>9,.0f} rows/s "
            f"{used.largest_gib * 1024:6.0f} MiB peak",
            flush=True,
        )


if __name__ == "__main__":
    main()
