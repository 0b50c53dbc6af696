"""When a day is known, against a naive reference: a walk through a year, in zones that change their clocks."""

import json
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from types import SimpleNamespace
from typing import cast
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from pyiceberg.table import Table as IcebergTable

from pipeline.commands.status import print_status
from pipeline.features.as_of_join import as_of
from pipeline.features.point_in_time import by_day, microseconds, served_after
from pipeline.runtime.days import day_end, day_range, shift
from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings
from pipeline.storage.publish import Publication
from tests.unit.pipeline.features.feature_days import ANN, features, publish_days

# The first four skip a midnight; Apia left out 2011-12-30, whose day is over before it begins.
ZONES = (
    ("Africa/Cairo", 2024),
    ("America/Santiago", 2024),
    ("Asia/Beirut", 2024),
    ("America/Havana", 2024),
    ("Europe/Berlin", 2024),
    ("America/Nuuk", 2024),
    ("Pacific/Apia", 2011),
)
DEFAULT_HOURS = Settings.model_fields["serving_delay_hours"].default
STEP = timedelta(minutes=15)


@cache
def first_instants(zone: str, year: int) -> dict[str, datetime]:
    """The naive reference: the first instant at which the zone's calendar shows each date, or a later one."""
    instant, last = datetime(year - 1, 12, 30, tzinfo=UTC), date(year + 1, 1, 2)
    wanted, found = date(year, 1, 1), {}
    while wanted <= last:
        if instant.astimezone(ZoneInfo(zone)).date() >= wanted:
            found[wanted.isoformat()] = instant
            wanted += timedelta(days=1)
        else:
            instant += STEP
    return found


@pytest.mark.parametrize(("zone", "year"), ZONES)
def test_a_day_is_over_when_the_calendar_shows_the_next(zone: str, year: int) -> None:
    begins = first_instants(zone, year)
    for ds in day_range(f"{year}-01-01", f"{year}-12-31"):
        assert day_end(ds, [zone]) == begins[shift(ds, 1)]


@pytest.mark.parametrize(("zone", "year"), ZONES)
@pytest.mark.parametrize(("platform", "delay"), [("America/Los_Angeles", 0), ("Asia/Tokyo", 8), ("UTC", 3.5)])
def test_the_day_known_at_each_instant_of_a_year(zone: str, year: int, platform: str, delay: float) -> None:
    days = day_range(f"{year}-01-01", f"{year}-12-31")
    late = timedelta(hours=delay)
    properties = {f"pub.{ds}": json.dumps(vars(Publication("r", 1, 1, "d"))) for ds in days}
    timeline = by_day(cast(IcebergTable, SimpleNamespace(properties=properties)), {zone, platform}, late)
    instants = [datetime(year, 1, 1, tzinfo=UTC) + n * timedelta(minutes=45) for n in range(366 * 32)]
    found = timeline.at(np.array([microseconds(it) for it in instants]))
    known, place = -1, []
    for instant in instants:
        while known + 1 < len(days) and all(
            first_instants(it, year)[shift(days[known + 1], 1)] + late <= instant for it in (zone, platform)
        ):
            known += 1
        place.append(known)
    assert found.tolist() == place


def recency_at(settings: Settings, instant: datetime, **asked: timedelta) -> list[int | None]:
    labels = pa.table({"user_id": [ANN], "event_timestamp": pa.array([instant], pa.timestamp("us", "UTC"))})
    found: list[int | None] = as_of(labels, ["recency_days"], settings=settings, **asked)["recency_days"].to_pylist()
    return found


def test_by_default_a_day_is_known_when_a_night_has_served_it(home: Settings) -> None:
    """The stated delay after the day's end, also through Feast and for campaigns: one setting says it."""
    home = home.model_copy(update={"serving_delay_hours": DEFAULT_HOURS})
    publish_days(home, "r1", {"2024-03-05": [features(ANN, "2024-03-05", recency_days=1)]})
    served = datetime(2024, 3, 6, tzinfo=UTC) + home.serving_delay
    assert home.serving_delay == timedelta(hours=8)
    assert recency_at(home, served - timedelta(microseconds=1)) == [None]
    assert recency_at(home, served) == [1]
    slow = home.model_copy(update={"serving_delay_hours": 20.5})
    assert recency_at(slow, datetime(2024, 3, 6, 20, 29, tzinfo=UTC)) == [None]
    assert recency_at(slow, datetime(2024, 3, 6, 20, 30, tzinfo=UTC)) == [1]
    assert recency_at(slow, datetime(2024, 3, 6, tzinfo=UTC), delay=timedelta(0)) == [1]


def test_no_day_is_known_before_its_end(home: Settings) -> None:
    publish_days(home, "r1", {"2024-03-05": [features(ANN, "2024-03-05")]})
    with pytest.raises(UsageError, match="delay: expected none or more, found -1 day"):
        recency_at(home, datetime(2024, 3, 6, tzinfo=UTC), delay=timedelta(hours=-1))


def test_status_compares_the_stated_delay_with_the_nights(
    home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = day_end("2024-03-05", ["UTC"])
    hours = {"2024-03-05": 2, "2024-03-06": 9, "2024-03-07": 24 * 365}  # the last was loaded a year later
    for ds, late in hours.items():
        after = ends + timedelta(days=(date.fromisoformat(ds) - date(2024, 3, 5)).days, hours=late)
        with monkeypatch.context() as clock:
            clock.setattr("time.time_ns", partial(int, after.timestamp() * 1e9))
            publish_days(home, f"r-{ds}", {ds: [features(ANN, ds)]})
    print_status(home.model_copy(update={"serving_delay_hours": DEFAULT_HOURS}))
    assert (
        "served after       median 5.5 h, longest 9.0 h of 2 nights; as_of takes 8 h; "
        "raise TIDEMARK_SERVING_DELAY_HOURS" in capsys.readouterr().out.splitlines()
    )
    assert served_after(None, {"UTC"}) == {}
