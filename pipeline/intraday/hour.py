"""Hours as `YYYY-MM-DDTHH` strings on the clock of TIDEMARK_BUSINESS_TZ: keys of refreshes.

An hour names a refresh and its day, not an interval of time: a refresh takes what has landed. So an hour that occurs
twice in autumn is one key, and one that spring skips does no harm.
"""

import argparse
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pipeline.runtime.errors import UsageError

FORMAT = "%Y-%m-%dT%H"


def arguments(doc: str | None, argv: list[str] | None = None) -> argparse.Namespace:
    """`hour` and `run` of a job of a refresh; `--hour` is checked by `parse_hour`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hour", required=True, help="hour of the refresh, YYYY-MM-DDTHH")
    parser.add_argument("--run", default=f"manual-{time.time_ns()}", help="id shared by steps")
    return parser.parse_args(argv)


def parse_hour(text: str, business_tz: str, now: datetime | None = None) -> str:
    """The same hour, checked. Raises UsageError when it is no such hour, or has not begun."""
    try:
        parsed = datetime.strptime(text, FORMAT)
    except ValueError:
        parsed = None
    if parsed is None or parsed.strftime(FORMAT) != text:
        raise UsageError(f"hour: expected YYYY-MM-DDTHH, found {text!r}")
    current = (now or datetime.now(UTC)).astimezone(ZoneInfo(business_tz)).strftime(FORMAT)
    if text > current:
        raise UsageError(f"hour: expected one that has begun, found {text}: it is {current} in {business_tz}")
    return text


def day_of(hour: str) -> str:
    """The day of an hour: partition of the refresh."""
    return hour[:10]
