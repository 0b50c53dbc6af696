"""Defects of delivery, planted in clean rows: duplicates, near duplicates and malformed lines."""

import numpy as np

from pipeline.sources.sample.clock import PLATFORMS
from pipeline.sources.sample.rows import Fate, Rows

EXACT_SHARE, NEAR_SHARE, REDELIVERED_SHARE = 0.006, 0.004, 0.001
MALFORMED = {
    Fate.BAD_TIME: 0.0012,
    Fate.NO_USER: 0.0012,
    Fate.BROKEN_LINE: 0.0012,
    Fate.SHIFTED_COLUMNS: 0.0012,
}
WEBSHOP = PLATFORMS.index("webshop")


def plant_defects(rng: np.random.Generator, rows: Rows, platform: int) -> Rows:
    """The rows in order of time, some malformed, some followed by a copy.

    Only the web shop retries within seconds (near duplicates); only CSV has columns to shift.
    """
    odds = dict(MALFORMED)
    if platform == WEBSHOP:
        odds[Fate.BROKEN_LINE] += odds.pop(Fate.SHIFTED_COLUMNS)
    fates = np.array([Fate.CLEAN, *odds], dtype=np.int8)
    drawn = rng.choice(fates, len(rows), p=[1 - sum(odds.values()), *odds.values()])
    rows.fate = np.where(rows.fate == Fate.CLEAN, drawn, rows.fate)
    clean = np.flatnonzero(rows.fate == Fate.CLEAN)
    roll = rng.random(len(clean))
    parts = [rows, _copies(rows.take(clean[roll < EXACT_SHARE]), Fate.EXACT_DUPLICATE, 0)]
    if platform == WEBSHOP:
        near = rows.take(clean[roll > 1 - NEAR_SHARE])
        delay = rng.integers(200, 1900, len(near))
        parts.append(_copies(near, Fate.NEAR_DUPLICATE, delay))
    landed = Rows.concat(parts)
    return landed.take(np.argsort(landed.time, kind="stable"))


def draw_redelivered(rng: np.random.Generator, rows: Rows) -> Rows:
    """Copies of some clean rows, to land once more on the next day."""
    again = (rows.fate == Fate.CLEAN) & (rng.random(len(rows)) < REDELIVERED_SHARE)
    return _copies(rows.take(again), Fate.EXACT_DUPLICATE, 0)


def _copies(rows: Rows, fate: Fate, delay: np.ndarray | int) -> Rows:
    rows.time = rows.time + delay
    rows.fate = np.full(len(rows), fate, dtype=np.int8)
    return rows


def break_lines(text: bytes, fate: np.ndarray, csv: bool) -> bytes:
    """Cut off or shift the lines whose fate says so; `fate` has one element per line."""
    broken = np.flatnonzero((fate == Fate.BROKEN_LINE) | (fate == Fate.SHIFTED_COLUMNS))
    if len(broken) == 0:
        return text
    lines = text.split(b"\n")
    for number in broken:
        line = lines[number]
        if fate[number] == Fate.SHIFTED_COLUMNS:
            lines[number] = line.split(b",", 1)[1] + b","
        elif csv:
            lines[number] = b",".join(line.split(b",")[:2])
        else:
            lines[number] = line[: len(line) * 3 // 5]
    return b"\n".join(lines)
