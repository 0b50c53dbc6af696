"""A refresh of one hour without Airflow: the steps of `intraday_refresh` and `hourly_learning`."""

from pipeline.commands.run import show
from pipeline.intraday.base import find_base, superseded_by
from pipeline.intraday.hour import day_of, parse_hour
from pipeline.intraday.refreshes import describe, newest
from pipeline.orchestration.range_load import run_steps
from pipeline.orchestration.steps import INTRADAY_STEPS, LEARN
from pipeline.runtime.settings import Settings


def run_refresh(settings: Settings, asked: str, run: str) -> None:
    """Refreshes the hour, unless the night of its day is published. Raises UsageError, OrchestrationError."""
    hour = parse_hour(asked, settings.business_tz)
    if night := superseded_by(settings, day_of(hour)):
        print(f"{hour}: nothing to do, user_features ds={night} is published and knows more")
        return
    find_base(settings, day_of(hour))
    steps = (*INTRADAY_STEPS, LEARN) if settings.hourly_learning else INTRADAY_STEPS
    run_steps(settings, steps, hour, run, show)
    done = newest(settings)
    assert done, "it has just been published"
    print(describe(done))
