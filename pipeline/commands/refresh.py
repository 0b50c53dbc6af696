"""Refresh the features of users of whom something has landed, without Airflow.

    python -m pipeline.commands.refresh --hour 2026-04-01T10

The steps of the DAG `intraday_refresh`, one after the other: each job, its audit, its publish; then
that of `hourly_learning`, with TIDEMARK_HOURLY_LEARNING=true. Does nothing when the night of the
hour's day is published.
"""

from pipeline.commands.run import show
from pipeline.intraday.base import find_base, superseded_by
from pipeline.intraday.hour import arguments, day_of, parse_hour
from pipeline.intraday.refreshes import describe, newest
from pipeline.orchestration.range_load import run_steps
from pipeline.orchestration.steps import INTRADAY_STEPS, LEARN
from pipeline.runtime import program
from pipeline.runtime.settings import load_settings


def main() -> None:
    given, settings = arguments(__doc__), load_settings()
    hour = parse_hour(given.hour, settings.business_tz)
    if night := superseded_by(settings, day_of(hour)):
        print(f"{hour}: nothing to do, user_features ds={night} is published and knows more")
        return
    find_base(settings, day_of(hour))
    steps = (*INTRADAY_STEPS, LEARN) if settings.hourly_learning else INTRADAY_STEPS
    run_steps(settings, steps, hour, given.run, show)
    done = newest(settings)
    assert done, "it has just been published"
    print(describe(done))


if __name__ == "__main__":
    program.run(main)
