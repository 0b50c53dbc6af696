"""Pictures of the web shop's items: small PNGs that show what an item is, not what it is called.

The ground has the topic's colour, the shape and its colour stand for the words of the title, and every picture has its
own noise. The marketplace has none.
"""

import colorsys
import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.sources.sample.items import Catalogue

SIZE = 32  # pixels
GOLDEN = 0.618034  # of the circle of hues: topics stay far apart
NOISE = 12.0


def picture_path(sku: str) -> str:
    """Where the picture lies, relative to landing/."""
    return f"webshop/images/{sku}.png"


def draw_pictures(out: Path, catalogue: Catalogue, items: pl.Series, index: Iterable[int], seed: int) -> None:
    """Writes the pictures of the items `index`."""
    from PIL import Image

    for number in map(int, index):
        file = out / picture_path(items[number])
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = pixels_of(int(catalogue.topic[number]), catalogue.title[number], number, seed)
        Image.fromarray(pixels).save(file, optimize=False)


def pixels_of(topic: int, title: str, number: int, seed: int) -> np.ndarray:
    """[SIZE, SIZE, 3] uint8."""
    words = title.split()
    ground, ink = _colour(topic * GOLDEN, 0.55), _colour(_share(words[1 % len(words)]), 0.95)
    across, down = np.meshgrid(np.linspace(-1, 1, SIZE), np.linspace(-1, 1, SIZE))
    power = 0.6 + 3 * _share(" ".join(words[2:]))  # from a star over a disc to a square
    inside = np.abs(across) ** power + np.abs(down) ** power < 0.6
    picture = np.where(inside[..., None], ink, ground)
    noise = np.random.default_rng([seed, number]).normal(0, NOISE, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _colour(hue: float, brightness: float) -> np.ndarray:
    return 255 * np.array(colorsys.hsv_to_rgb(hue % 1, 0.8, brightness))


def _share(word: str) -> float:
    """A number in [0, 1) that is the word's own."""
    return int(hashlib.sha256(word.encode()).hexdigest()[:8], 16) / 2**32
