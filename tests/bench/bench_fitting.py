"""How fast the transformer learns: rows in a CPU second, and floating-point operations in a second.

    python -m tests.bench fitting [--events 60000] [--users 1000] [--steps 40]

Trains a small preset for one epoch on a generated shop: no home is needed. Torch counts the operations in a second
training, so that counting costs the timed one nothing. `ceilings` says what the machine could do.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from torch.utils.flop_counter import FlopCounterMode

from tests.bench.hourly_line import CPU, PRESET, World
from tests.bench.hourly_world import shop_of
from training.fitting.fit_model import fit

DAYS, SEED = 40, 301


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--users", type=int, default=1_000, help="whom the model learns from")
    parser.add_argument("--steps", type=int, default=40)
    given = parser.parse_args()
    preset = replace(PRESET, steps_per_epoch=given.steps, epochs=1)
    data = World(shop_of(given.events, DAYS, SEED), given.users).training(DAYS - 8)
    with tempfile.TemporaryDirectory() as folder:
        began, worked = time.perf_counter(), time.process_time()
        fit(data, preset, Path(folder) / "timed", CPU)
        seconds, cpu = time.perf_counter() - began, time.process_time() - worked
        with FlopCounterMode(display=False) as counter:
            fit(data, preset, Path(folder) / "counted", CPU)
    operations = counter.get_total_flops() / 1e9
    print(
        f"{given.steps} steps of {preset.batch} rows: {seconds:.1f} s, {cpu:.1f} CPU s, "
        f"{given.steps * preset.batch / cpu:,.0f} rows per CPU s, {operations:,.0f} GFLOP, "
        f"{operations / seconds:.2f} GFLOP/s",
        flush=True,
    )


if __name__ == "__main__":
    main()
