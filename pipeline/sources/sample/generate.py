"""Generate the sample: the files of both platforms, the identity map and the ground truth."""

from datetime import date
from pathlib import Path

import polars as pl

from pipeline.sources.sample import truth
from pipeline.sources.sample.clock import LAST_DAY, Clock
from pipeline.sources.sample.world import plant_world


def generate(
    out: Path,
    events: int,
    days: int,
    seed: int,
    last_day: date | None = None,
    pictures: bool = False,
) -> None:
    """Write about `events` rows of two platforms under `out` (= landing/), equal for equal seeds.

    Covers the `days` days up to `last_day` (2026-03-31 unless given). `pictures` also draws those of the web shop's
    items; all other bytes but the shop's item files stay the same.
    """
    if events < 1 or days < 1:
        raise ValueError(f"sample: expected events >= 1 and days >= 1, found {events} and {days}")
    world = plant_world(events, Clock(days, last_day or LAST_DAY), seed)
    world.pictures = pictures
    ids = truth.person_ids(world.people)
    out.mkdir(parents=True, exist_ok=True)
    truth.identity(ids).write_csv(out / "identity.csv")
    truth.write_truth(
        out,
        users=truth.users(world.people, world.bots, ids, world.clock),
        shifts=truth.shifts(world.people, ids, world.clock),
        items=truth.items(world.catalogue, world.items, world.clock),
    )
    del ids
    landed = [row for day in range(days) for row in world.land(out, day)]
    truth.write_truth(out, accounting=pl.DataFrame(landed))
