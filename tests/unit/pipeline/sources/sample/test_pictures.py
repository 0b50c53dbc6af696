"""Pictures of the sample's web shop."""

import gzip
import json
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.sources.sample import generate
from pipeline.sources.sample.pictures import pixels_of


def files(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_pictures_are_added_and_nothing_else_changes(tmp_path: Path) -> None:
    generate(tmp_path / "without", events=2_000, days=3, seed=3)
    generate(tmp_path / "with", events=2_000, days=3, seed=3, pictures=True)
    without, drawn = files(tmp_path / "without"), files(tmp_path / "with")
    pictures = {name for name in drawn if name.endswith(".png")}
    changed = {name for name in without if without[name] != drawn[name]}
    assert drawn.keys() - without.keys() == pictures
    assert changed == {f"webshop/items/2026-03-{day}.jsonl.gz" for day in (29, 30, 31)}
    told = set()
    for name in changed:
        lines = gzip.decompress(drawn[name]).splitlines()
        told |= {json.loads(line)["image"] for line in lines}
    assert told == pictures
    with Image.open(tmp_path / "with" / sorted(pictures)[0]) as picture:
        assert (picture.format, picture.size) == ("PNG", (32, 32))


def test_items_of_a_topic_look_alike() -> None:
    coffee, other, tea = (
        pixels_of(topic, f"Brand Organic {thing}", number, seed=1).astype(float)
        for number, (topic, thing) in enumerate([(0, "Beans"), (0, "Pods"), (1, "Beans")])
    )
    corner = np.s_[:4, :4]
    near = np.abs(coffee[corner].mean((0, 1)) - other[corner].mean((0, 1))).max()
    far = np.abs(coffee[corner].mean((0, 1)) - tea[corner].mean((0, 1))).max()
    assert near < 15 < 60 < far
