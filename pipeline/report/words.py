"""How the report writes numbers, days and changes, and which ones it does not tell."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from unicodedata import east_asian_width

from pipeline.runtime.floor import FLOOR, people, tellable, veiled

MISSING = "–"
NOT_TOLD = "not told"  # with it, a small group beside it could be told
UNCHANGED = "unchanged"
OTHER = "other topics"  # those too small to be drawn by themselves
LEAST_POINTS = 0.0005  # a smaller change of a share rounds to nothing


@dataclass(frozen=True)
class Change:
    """A figure beside that of an earlier night."""

    now: float | None
    then: float | None

    @property
    def direction(self) -> str:
        """`up`, `down`, `same`, or `none` when there is nothing to compare with."""
        if self.now is None or self.then is None:
            return "none"
        return "same" if self.now == self.then else "up" if self.now > self.then else "down"

    @property
    def relative(self) -> str:
        """`+12 %`; from nothing, the difference itself."""
        if self.now is None or self.then is None:
            return "no earlier night"
        if self.now == self.then:
            return UNCHANGED
        if not self.then:
            return f"+{thousands(self.now)}"
        change = 100 * (self.now / self.then - 1)
        return f"{change:+.1f} %" if abs(change) < 10 else f"{change:+,.0f} %"

    @property
    def in_points(self) -> str:
        """The change of a share, in percentage points."""
        if self.now is None or self.then is None:
            return "no earlier night"
        return points(self.now - self.then)


def thousands(value: float | None) -> str:
    """`12,345`."""
    return MISSING if value is None else f"{value:,.0f}"


def told_share(part: int, whole: int | None) -> float | None:
    """`part / whole`; None also where it would tell of a small group."""
    return share(part, whole) if whole and tellable(part, whole) else None


def told(groups: Mapping[str, int] | None, names: Iterable[str]) -> dict[str, int | None]:
    """The size of each named group where it may be told; None where not, or without any groups."""
    hidden = veiled(groups or {})
    return {name: None if groups is None or name in hidden else groups.get(name, 0) for name in names}


def counted(users: int, hidden: bool) -> str:
    """The users of a group that may be hidden."""
    return people(users) if not hidden or users < FLOOR else NOT_TOLD


def percent(share: float | None, digits: int = 1) -> str:
    """A share as `12.3 %`."""
    return MISSING if share is None else f"{100 * share:.{digits}f} %"


def points(change: float) -> str:
    """A change of a share as `+1.2 pts`; `unchanged` when it rounds to nothing."""
    return UNCHANGED if abs(change) < LEAST_POINTS else f"{100 * change:+.1f} pts"


def long_day(ds: str) -> str:
    """`Tuesday, 31 March 2026`."""
    day = date.fromisoformat(ds)
    return f"{day:%A}, {day.day} {day:%B %Y}"


def short_day(ds: str) -> str:
    """`31 Mar`."""
    day = date.fromisoformat(ds)
    return f"{day.day} {day:%b}"


def duration(seconds: float) -> str:
    """`8.4 s`, `3 min 20 s` or `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def share(part: float | None, whole: float | None) -> float | None:
    """`part / whole`; None where that is not defined."""
    return None if part is None or not whole else part / whole


def sentence(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def shortened(text: str, width: int) -> str:
    """The text in at most `width` columns; wide letters (CJK, most emoji) take two."""
    if _columns(text) <= width:
        return text
    kept = ""
    for letter in text:
        if _columns(kept + letter) > width - 1:
            break
        kept += letter
    return kept.rstrip() + "…"


def _columns(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
