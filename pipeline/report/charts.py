"""Where the marks of each picture lie, in units of its view box. Pure: numbers in, numbers out."""

from collections.abc import Sequence
from dataclasses import dataclass

NEAR = 0.35  # a ribbon's control points, as a part of its width


@dataclass(frozen=True)
class Spark:
    """A small curve: `line` as SVG points, and its last point."""

    line: str
    x: float
    y: float


@dataclass(frozen=True)
class Box:
    """A rectangle with what it stands for."""

    x: float
    y: float
    width: float
    height: float
    kind: str = ""
    label: str = ""


@dataclass(frozen=True)
class Mark:
    """A point with its interval, and the level it is held against."""

    x: float
    y: float
    low: float
    high: float
    level: float | None


def sparkline(values: Sequence[float], width: float, height: float, pad: float = 3) -> Spark | None:
    """The values from left to right, zero at the bottom; None with fewer than two."""
    if len(values) < 2:
        return None
    top = max(values) or 1.0
    step = (width - 2 * pad) / (len(values) - 1)
    points = [
        (round(pad + n * step, 1), round(height - pad - (height - 2 * pad) * value / top, 1))
        for n, value in enumerate(values)
    ]
    return Spark(" ".join(f"{x},{y}" for x, y in points), *points[-1])


def stacks(
    columns: Sequence[Sequence[float]],
    kinds: Sequence[str],
    labels: Sequence[str],
    width: float,
    height: float,
) -> list[Box]:
    """Stacked columns over the whole width, the first kind at the bottom."""
    top = max((sum(column) for column in columns), default=0) or 1.0
    step = width / max(len(columns), 1)
    found = []
    for n, column in enumerate(columns):
        floor = height
        for kind, value in zip(kinds, column, strict=True):
            tall = height * value / top
            floor -= tall
            if value:
                left, wide = n * step + 0.1 * step, 0.8 * step
                found.append(_box(left, floor, wide, tall, kind, labels[n]))
    return found


def histogram(shares: Sequence[float], top: float, width: float, height: float) -> list[Box]:
    """Bars beside each other; `top` is the share that fills the height."""
    step = width / max(len(shares), 1)
    found = []
    for n, value in enumerate(shares):
        tall = height * value / (top or 1.0)
        found.append(_box(n * step, height - tall, step, tall))
    return found


def outline(shares: Sequence[float], top: float, width: float, height: float) -> str:
    """The upper edge of such bars, as SVG points."""
    boxes = histogram(shares, top, width, height)
    ends = [(x, box.y) for box in boxes for x in (box.x, round(box.x + box.width, 2))]
    return " ".join(f"{x},{y}" for x, y in ends)


def ticks(values: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis that leaves room around the values."""
    low, high = min(values), max(values)
    room = (high - low) * 0.15 or abs(high) * 0.05 or 0.01
    return low - room, high + room


def marks(
    points: Sequence[tuple[float, float, float, float | None]],
    axis: tuple[float, float],
    width: float,
    height: float,
) -> list[Mark]:
    """Values with intervals and levels, evenly spaced from left to right."""
    step = width / max(len(points), 1)

    def up(value: float) -> float:
        return round(height * (1 - (value - axis[0]) / (axis[1] - axis[0])), 2)

    return [
        Mark(round((n + 0.5) * step, 2), up(value), up(low), up(high), None if level is None else up(level))
        for n, (value, low, high, level) in enumerate(points)
    ]


def ribbon(x0: float, x1: float, left: tuple[float, float], right: tuple[float, float]) -> str:
    """An SVG path between two vertical spans, (top, bottom) each."""
    bend = (x1 - x0) * NEAR
    (a, b), (c, d) = left, right
    return (
        f"M{x0},{a:.1f} C{x0 + bend:.1f},{a:.1f} {x1 - bend:.1f},{c:.1f} {x1},{c:.1f} "
        f"L{x1},{d:.1f} C{x1 - bend:.1f},{d:.1f} {x0 + bend:.1f},{b:.1f} {x0},{b:.1f} Z"
    )


def _box(x: float, y: float, width: float, height: float, kind: str = "", label: str = "") -> Box:
    return Box(round(x, 2), round(y, 2), round(width, 2), round(height, 2), kind, label)
