"""Business days as `YYYY-MM-DD` strings, the form in which they are partition keys."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pipeline.runtime.errors import UsageError


def parse_day(text: str) -> str:
    """The same day, checked. Raises UsageError when it is no `YYYY-MM-DD`."""
    try:
        parsed = date.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.isoformat() != text:
        raise UsageError(f"day: expected YYYY-MM-DD, found {text!r}")
    return text


def shift(ds: str, days: int) -> str:
    """The day `days` after `ds` (before it when negative)."""
    return (date.fromisoformat(ds) + timedelta(days=days)).isoformat()


def day_range(first: str, last: str) -> list[str]:
    """Every day of [first, last]. Raises UsageError when the range is empty."""
    if parse_day(first) > parse_day(last):
        raise UsageError(f"days: expected --from <= --to, found {first} > {last}")
    return list(walk(first, last))


def walk(first: str, last: str) -> Iterator[str]:
    """The days of [first, last], in order; none when `first` is later."""
    while first <= last:
        yield first
        first = shift(first, 1)


def days_between(first: str, last: str) -> int:
    """`last - first` in days."""
    return (date.fromisoformat(last) - date.fromisoformat(first)).days


def days_since_1970(ds: str) -> int:
    """The day as a number, which also columns of days are made of."""
    return days_between("1970-01-01", ds)


def day_end(ds: str, zones: Iterable[str]) -> datetime:
    """The instant (UTC) at which `ds` is over in all of `zones`.

    A midnight that a clock change skips or repeats counts when it is first reached.
    """
    midnight = datetime.combine(date.fromisoformat(shift(ds, 1)), time())
    return max(midnight.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for zone in zones)
