"""The night that a refresh starts from, and whether a later night has made the refresh unnecessary."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.intraday.hour import day_of, parse_hour
from pipeline.orchestration.step_commands import SUPERSEDED
from pipeline.runtime.days import day_range, shift
from pipeline.runtime.errors import NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import published
from pipeline.tables.interests import ITEM_TOPICS, REVIEW_SENTIMENTS
from pipeline.tables.registry import ITEM_EMBEDDINGS, ITEMS, USER_FEATURES, USER_HISTORY

# What a refresh reads of the night, apart from its rows of users.
NEEDED = (USER_FEATURES, USER_HISTORY, ITEMS, ITEM_EMBEDDINGS, ITEM_TOPICS, REVIEW_SENTIMENTS)
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True)
class Base:
    """A whole night, and when its histories became visible: another time means other rows."""

    ds: str
    published_at: datetime

    def open_days(self, day: str) -> list[str]:
        """The days up to `day` that the night does not cover."""
        return day_range(shift(self.ds, 1), day)


def find_base(settings: Settings, day: str) -> Base:
    """The newest completely published night before `day`. Raises NotPublishedError."""
    days = [set(published(table.name, settings)) for table in NEEDED]
    nights = sorted(ds for ds in set.intersection(*days) if ds < day)
    if not nights:
        raise NotPublishedError(
            f"user_features: expected a night before {day} to go on from, found none with "
            f"{', '.join(table.name for table in NEEDED)}; run one with `python -m pipeline "
            "nightly`"
        )
    histories = published(USER_HISTORY.name, settings)[nights[-1]]
    return Base(nights[-1], instant(histories.published))


def superseded_by(settings: Settings, day: str) -> str:
    """The night of `day` or later that is published and knows more; empty while there is none."""
    return max((ds for ds in published(USER_FEATURES.name, settings) if ds >= day), default="")


def instant(nanoseconds: int) -> datetime:
    """A time since 1970 as tables hold it: UTC, in microseconds."""
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)


def print_base(settings: Settings, asked: str) -> int:
    """Prints the night that the refresh of an hour starts from; returns the exit code."""
    hour = parse_hour(asked, settings.business_tz)
    if night := superseded_by(settings, day_of(hour)):
        print(f"{hour}: nothing to do, user_features ds={night} is published and knows more")
        return SUPERSEDED
    print(f"{hour}: goes on from ds={find_base(settings, day_of(hour)).ds}")
    return 0
