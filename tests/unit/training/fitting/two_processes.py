"""Trains on the shop for a few steps and writes the weights: what the DDP test runs twice.

    python -m training.launch --nproc-per-node 2 -m -- tests.unit.training.fitting.two_processes OUT
    python -m tests.unit.training.fitting.two_processes OUT

One process holds both shards, two hold one each: the steps must be the same.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from pipeline.runtime.settings import load_settings
from tests.unit.training.factory import DS
from training.data import distributed
from training.data.arrow import buckets
from training.fitting.data import load_training_data
from training.fitting.fit_model import build_trainer
from training.network.presets import PRESETS

SHARDS = 2
# Without dropout, which draws from each process's own generator.
PRESET = replace(
    PRESETS["tiny"],
    dropout=0.0,
    epochs=1,
    steps_per_epoch=4,
    batch=30,
    accumulate=2,
    average=0.5,
    adversarial=0.05,
)


def main(out: Path) -> None:
    device = distributed.join()
    data = load_training_data(load_settings(), DS, device)
    trainer = build_trainer(data, PRESET, out.with_suffix(".checkpoints"), device)
    trainer.all_shards = SHARDS
    if distributed.world() == 1:
        shard = buckets(data.examples.users, SHARDS)
        trainer.shards = [np.flatnonzero(shard == number) for number in range(SHARDS)]
    trainer.fit()
    if distributed.rank() == 0:
        save_file(trainer.model.state_dict(), out)
    distributed.leave()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(Path(sys.argv[1]))
