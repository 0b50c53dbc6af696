"""Writes what the processes of a training job listen on: what the test of the launcher starts.

    python -m training.launch --nproc-per-node 2 -m -- tests.unit.training.fitting.listeners OUT

OUT is JSON: `[[address, port], …]` of the launcher and of every process below it.
"""

import json
import os
import sys
from pathlib import Path

import psutil
import torch
import torch.distributed as dist

from training.data import distributed


def main(out: Path) -> None:
    distributed.join()
    assert distributed.total(torch.ones(1)).item() == 2  # both are connected, so both listen
    if distributed.rank() == 0:
        launcher = psutil.Process(os.getppid())
        connections = [it for one in (launcher, *launcher.children(recursive=True)) for it in one.net_connections()]
        listening = [it.laddr for it in connections if it.status == psutil.CONN_LISTEN]
        out.write_text(json.dumps([[it.ip, it.port] for it in listening]))
    dist.barrier()
    distributed.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
