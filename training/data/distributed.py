"""The processes of one training job: gloo on CPUs, nccl on GPUs; one process needs neither."""

import os

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor


def join() -> torch.device:
    """Joins the group that torchrun started; returns this process's device."""
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if "RANK" in os.environ:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def leave() -> None:
    """Leaves the group; call it when nothing that the others wait for is left to do."""
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def total(values: Tensor) -> Tensor:
    """Sum over all processes."""
    if dist.is_initialized():
        dist.all_reduce(values)
    return values


def total_of(values: np.ndarray, device: torch.device) -> np.ndarray:
    """Sum over all processes, in float64 so that counts stay exact."""
    return total(torch.from_numpy(values.astype(np.float64)).to(device)).cpu().numpy()


def largest(value: int, device: torch.device) -> int:
    """Maximum over all processes."""
    tensor = torch.tensor(value, dtype=torch.int64, device=device)
    if dist.is_initialized():
        dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
    return int(tensor)


def agreed(value: int) -> int:
    """The first process's value, in all of them."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tensor = torch.tensor(value, dtype=torch.int64, device=device)
    if dist.is_initialized():
        dist.broadcast(tensor, src=0)
    return int(tensor)
