"""Checkpoints of a training job: a retried job continues where the last epoch ended.

    <folder>/epoch-0003/{weights,best,average}.safetensors, optimizer.pt, progress.json

A checkpoint is whole or absent. Loading runs no code: weights are safetensors, the optimizer's tensors are read with
`weights_only`.
"""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline.runtime.atomic import replacing
from pipeline.runtime.errors import ModelError


@dataclass
class Progress:
    """The progress of training. `curve` has one record per epoch, `steps` the loss of each step."""

    epoch: int = 0  # epochs done
    best_epoch: int = 0
    best_loss: float = float("inf")
    curve: list[dict[str, float]] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0  # of this process, so unaffected by other work on the machine


@dataclass(frozen=True)
class Checkpoint:
    """What a job resumes from, besides the weights and the optimizer's state."""

    progress: Progress
    best: dict[str, Tensor]  # the weights to publish so far
    average: dict[str, Tensor]  # the moving average; empty when there is none


def save_checkpoint(
    folder: Path,
    fingerprint: str,
    stand: Checkpoint,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Writes the checkpoint of an epoch and removes the previous one."""
    final = folder / f"epoch-{stand.progress.epoch:04d}"
    with replacing(final) as aside:
        aside.mkdir()
        save_file(_on_cpu(model.state_dict()), aside / "weights.safetensors")
        save_file(_on_cpu(stand.best), aside / "best.safetensors")
        save_file(_on_cpu(stand.average), aside / "average.safetensors")
        torch.save(optimizer.state_dict(), aside / "optimizer.pt")
        content = {"fingerprint": fingerprint, "progress": asdict(stand.progress)}
        (aside / "progress.json").write_text(json.dumps(content, indent=1))
        shutil.rmtree(final, ignore_errors=True)
    unfinished = folder.glob(".epoch-*")  # of jobs that were killed
    for older in (*folder.glob("epoch-*"), *unfinished):
        if older != final:
            shutil.rmtree(older)


def load_checkpoint(
    folder: Path, fingerprint: str, model: nn.Module, optimizer: torch.optim.Optimizer
) -> Checkpoint | None:
    """Restores weights and optimizer from the last checkpoint; returns the rest, or None without a checkpoint.

    Raises ModelError if the checkpoint was made with other data or another preset.
    """
    found = sorted(folder.glob("epoch-*"))
    if not found:
        return None
    content = json.loads((found[-1] / "progress.json").read_text())
    if content["fingerprint"] != fingerprint:
        raise ModelError(
            f"checkpoint {found[-1]}: expected preset and data {fingerprint}, found "
            f"{content['fingerprint']}; train with a new --run, or remove the folder"
        )
    model.load_state_dict(load_file(found[-1] / "weights.safetensors"))
    optimizer.load_state_dict(torch.load(found[-1] / "optimizer.pt", weights_only=True))
    best, average = (load_file(found[-1] / f"{name}.safetensors") for name in ("best", "average"))
    return Checkpoint(Progress(**content["progress"]), best, average)


def _on_cpu(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
