"""Start the processes of a training job on this machine: torchrun, with nothing that listens beyond it.

    python -m training.launch --nproc-per-node 2 -m -- training.train --ds 2011-11-06 --run R

Takes the options of torchrun for one node. `torchrun --standalone` opens its store on all interfaces and unpickles what
it finds there, so whoever reaches the port runs code as the trainer's user; a static rendezvous leaves the pickles out
but listens everywhere too. Here the store listens on loopback alone and holds no pickle, and gloo and NCCL connect over
loopback. For several machines see docs/guides/security.md.
"""

import os
import socket
import sys
from datetime import timedelta

from torch.distributed import TCPStore
from torch.distributed.elastic.rendezvous import RendezvousParameters, rendezvous_handler_registry
from torch.distributed.elastic.rendezvous.static_tcp_rendezvous import StaticTCPRendezvous
from torch.distributed.run import main as torchrun

LOOPBACK = "127.0.0.1"
BACKEND = "loopback"
STORE_SECONDS = 900
INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME", "TP_SOCKET_IFNAME")


class LoopbackRendezvous(StaticTCPRendezvous):
    """The rendezvous of one machine. Its store is bound before torch sees it: torch itself binds to every interface."""

    def __init__(self, run_id: str) -> None:
        listener = socket.create_server((LOOPBACK, 0))
        port = listener.getsockname()[1]
        super().__init__(LOOPBACK, port, rank=0, world_size=1, run_id=run_id, timeout=STORE_SECONDS)
        self._store = TCPStore(
            LOOPBACK,
            port,
            1,
            is_master=True,
            timeout=timedelta(seconds=STORE_SECONDS),
            multi_tenant=True,
            master_listen_fd=listener.detach(),
        )

    def get_backend(self) -> str:
        return BACKEND


def main() -> None:
    rendezvous_handler_registry.register(BACKEND, _rendezvous)
    for variable in INTERFACES:
        os.environ[variable] = _loopback_interface()
    # An endpoint must be given; the port is chosen when the store is bound.
    torchrun(["--nnodes", "1", "--rdzv-backend", BACKEND, "--rdzv-endpoint", f"{LOOPBACK}:0", *sys.argv[1:]])


def _rendezvous(parameters: RendezvousParameters) -> LoopbackRendezvous:
    return LoopbackRendezvous(parameters.run_id)


def _loopback_interface() -> str:
    """`lo` on Linux, `lo0` on macOS."""
    return next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")


if __name__ == "__main__":
    main()
