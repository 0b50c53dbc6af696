"""The night's jobs over a range of days, without Airflow."""

import sys
import time
from difflib import get_close_matches

from pipeline.commands.declare import did_you_mean
from pipeline.orchestration.range_load import load_range
from pipeline.orchestration.steps import names, step_named
from pipeline.runtime.days import day_range
from pipeline.runtime.errors import UsageError
from pipeline.runtime.processes import Usage
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import warnings
from pipeline.storage.arrivals import require_complete
from pipeline.storage.lineage import Lineage


def run_range(
    settings: Settings,
    first: str,
    last: str,
    until: str | None,
    allow_empty: bool,
    incomplete: bool,
    model_version: str = "",
) -> None:
    """Runs every step of [first, last], up to `until` where it is given.

    Raises UsageError, and LandingError when a day is not complete, unless `incomplete` days are taken as they are.
    """
    days = day_range(first, last)
    final = until or names()[-1]
    if final not in names():
        nearest = did_you_mean(get_close_matches(final, names(), n=1))
        raise UsageError(f"--until: expected one of {', '.join(names())}, found {final!r}{nearest}")
    settings = settings.model_copy(update={"allow_empty": allow_empty or settings.allow_empty})
    warn(settings)
    if not incomplete:
        require_complete(settings, days)
    started = time.monotonic()
    load_range(settings, days[0], days[-1], step_named(final), show, model_version)
    seconds = time.monotonic() - started
    print(f"{days[0]}..{days[-1]}: {len(days)} days through {final} in {seconds:.0f} s")
    if stale := [it for it in Lineage(settings).stale if not it.missing]:
        print(f"{len(stale)} partitions are stale, such as {stale[0]}; `python -m pipeline repair` makes them again")


def warn(settings: Settings) -> None:
    """Says what is odd about landing/ and stops nothing."""
    for line in warnings(settings):
        print(f"warning: {line}", file=sys.stderr, flush=True)


def show(step: str, part: str, usage: Usage) -> None:
    """One line per process that ended, in one piece: two may end at once."""
    line = f"{step:11} {part:9} {usage.seconds:6.1f} s {usage.peak_mb:6} MB\n"
    sys.stdout.write(line)
    sys.stdout.flush()
