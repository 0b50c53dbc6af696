"""How numbers, days and titles are worded."""

import unicodedata

from pipeline.runtime.days import days_between

RIGHT_TO_LEFT = {"R", "AL"}
ISOLATE, END = "\u2068", "\u2069"  # keeps the rest of the line in its order


def clean(text: str, width: int = 60) -> str:
    """Text of a shop on one line of a terminal: no control characters, not endless."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    shown = shown if len(shown) <= width else shown[: width - 1] + "…"
    turned = any(unicodedata.bidirectional(c) in RIGHT_TO_LEFT for c in shown)
    return f"{ISOLATE}{shown}{END}" if turned else shown


def percent(share: float) -> str:
    """A share, with as many digits as say something."""
    value = 100 * share
    if 0 < value < 0.1:
        return "<0.1%"
    return f"{value:.1f}%" if value < 10 else f"{value:.0f}%"


def number(count: float, thing: str) -> str:
    """`1 view`, `2 views`, `2 purchases`."""
    return f"{count:,g} {thing}" if count == 1 else f"{count:,g} {thing}s"


def listed(parts: list[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def span(first: str, last: str) -> str:
    """The time between two days in the unit that fits: `12 days`, `7 weeks`, `5 months`."""
    days = days_between(first, last)
    if days < 21:
        return number(days, "day")
    return f"{days // 7} weeks" if days < 120 else f"{round(days / 30.4)} months"
