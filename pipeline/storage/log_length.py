"""How long the log is, and from which day on it is long enough to train a model."""

from pipeline.runtime.days import days_between, shift
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import landed_days
from pipeline.storage.reading import published
from pipeline.tables.registry import RAW_EVENTS

SHORT_LOG = 70  # days: a month to learn from, one whose end is known, and days to know users by


def days_logged(settings: Settings, ds: str) -> int:
    """The days from the first that landed or was loaded through `ds`."""
    first = min([*landed_days(settings), *published(RAW_EVENTS.name, settings)], default=ds)
    return days_between(first, ds) + 1


def trains_from(settings: Settings, ds: str) -> str:
    """The first day that a model can be trained for, as it looks on `ds`."""
    return shift(ds, max(SHORT_LOG - days_logged(settings, ds), 0))
