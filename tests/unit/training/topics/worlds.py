"""Small worlds with planted topics: items whose vectors lie around a few directions."""

import numpy as np
import pyarrow as pa

from training.topics.day_items import HALF, DayItems

WIDTH = 12


def around(topics: list[int], noise: float = 0.1, seed: int = 1) -> np.ndarray:
    """[items, WIDTH] unit vectors, each near the axis of its topic."""
    generator = np.random.default_rng(seed)
    rows = np.eye(WIDTH)[topics] + noise * generator.normal(size=(len(topics), WIDTH))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def day_items(
    titles: list[str | None],
    vectors: np.ndarray | None = None,
    ids: list[str] | None = None,
    categories: list[str | None] | None = None,
    brands: list[str | None] | None = None,
    encoder: str = "made up",
) -> DayItems:
    """Items with these titles: shop:0000, shop:0001, ... where no ids are given."""
    size = len(titles)
    ids = ids or [f"shop:{n:04d}" for n in range(size)]
    text = np.zeros((size, WIDTH), HALF) if vectors is None else vectors.astype(HALF)
    facts = {
        "title": pa.array(titles, pa.string()),
        "category": pa.array(categories or [None] * size, pa.string()),
        "brand": pa.array(brands or [None] * size, pa.string()),
    }
    platforms = pa.array([item.partition(":")[0] for item in ids], pa.string())
    return DayItems(pa.array(ids, pa.string()), platforms, text, encoder, pa.table(facts))
