"""What the machine itself can do: memory bandwidth, matrix products, process starts, disk writes.

    python -m tests.bench ceilings

Each is the best of several tries, so other work on the machine lowers it little. The memory figure
counts the bytes read and written by a copy too large for any cache. Matrix products and the copy use all
threads that torch takes (OMP_NUM_THREADS). The disk figure is a file in the temporary folder,
where benches keep their homes, written and flushed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

COPIED = 2**28  # bytes
SIDE, LARGEST = 256, 4096  # of the matrices: the first size that takes long enough to be timed
LONG_ENOUGH = 0.1  # seconds
WRITTEN = 2**28  # bytes
TRIES, PATIENCE = 5, 5.0  # tries, and the seconds after which no other begins


@dataclass(frozen=True)
class Ceiling:
    name: str
    value: float
    unit: str

    def __str__(self) -> str:
        return f"{self.value:,.2f} {self.unit}" if self.value < 10 else f"{self.value:,.0f} {self.unit}"


def measure() -> list[Ceiling]:
    return [
        Ceiling("memory bandwidth", 2 * COPIED / _best(_copy()) / 1e9, "GB/s"),
        Ceiling("matrix product fp32", _products(torch.float32) / 1e9, "GFLOP/s"),
        Ceiling("matrix product bf16", _products(torch.bfloat16) / 1e9, "GFLOP/s"),
        Ceiling("process start", 1000 * _best(_start), "ms"),
        Ceiling("disk write", WRITTEN / _best(_write) / 1e6, "MB/s"),
    ]


def _best(work: Callable[[], object]) -> float:
    """Seconds of the fastest try."""
    seconds: list[float] = []
    while len(seconds) < TRIES and sum(seconds) < PATIENCE:
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _copy() -> Callable[[], object]:
    source = torch.ones(COPIED // 4)
    target = torch.zeros_like(source)
    return lambda: target.copy_(source)


def _products(kind: torch.dtype) -> float:
    """Operations per second. A processor without bf16 does it in software, hundreds of times slower."""
    side, generator = SIDE, torch.Generator().manual_seed(1)
    while True:
        left, right = (torch.randn(side, side, generator=generator).to(kind) for _ in range(2))
        seconds = _best(lambda: left @ right)  # noqa: B023
        if seconds > LONG_ENOUGH or side == LARGEST:
            return 2 * side**3 / seconds
        side *= 2


def _start() -> None:
    subprocess.run([sys.executable, "-c", "pass"], check=True)


def _write() -> None:
    content = os.urandom(2**20)
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(WRITTEN // len(content)):
            file.write(content)
        file.flush()
        os.fsync(file.fileno())


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for ceiling in measure():
        print(f"{ceiling.name:20} {ceiling}")


if __name__ == "__main__":
    main()
