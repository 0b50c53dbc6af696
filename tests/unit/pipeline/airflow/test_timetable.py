"""The timetable of business days: one key for every local day, also where a clock change skips midnight."""

import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.metadata import EntryPoint
from itertools import pairwise
from unittest import mock
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.exceptions import InvalidPartitionKeyError
from airflow.timetables.base import DagRunInfo, TimeRestriction
from airflow.timetables.trigger import CronPartitionTimetable

from pipeline.airflow.timetable import BusinessDays
from pipeline.orchestration.step_commands import PROJECT

# Midnight is skipped in the first four, the hour before it in Nuuk, a whole date (2011-12-30) in Apia.
ZONES = (
    ("Africa/Cairo", 2024),
    ("America/Santiago", 2024),
    ("Asia/Beirut", 2024),
    ("America/Havana", 2024),
    ("Europe/Berlin", 2024),
    ("America/Nuuk", 2024),
    ("Pacific/Apia", 2011),
    ("UTC", 2024),
)
MINUTES = timedelta(minutes=15)  # clocks change on a quarter of an hour


@cache
def days_of(zone: str, year: int) -> list[tuple[date, datetime, datetime]]:
    """The naive reference: each local date met on a walk through the year, with its first instant and its end."""
    found: list[tuple[date, datetime, datetime]] = []
    instant, end = datetime(year - 1, 12, 30, tzinfo=UTC), datetime(year + 1, 1, 3, tzinfo=UTC)
    begun = instant
    day = instant.astimezone(ZoneInfo(zone)).date()
    while instant < end:
        local = instant.astimezone(ZoneInfo(zone)).date()
        if local > day:
            found.append((day, begun, instant))
            day, begun = local, instant
        instant += MINUTES
    return found[1:]  # the walk began somewhere within the first


def scheduled(timetable: BusinessDays, first: datetime, until: datetime) -> Iterator[DagRunInfo]:
    """The runs that a scheduler starts which is awake all the time."""
    last: DagRunInfo | None = None
    while True:
        last = timetable.next_dagrun_info_v2(
            last_dagrun_info=last, restriction=TimeRestriction(pendulum.instance(first), None, catchup=True)
        )
        assert last is not None
        if last.run_after > until:
            return
        yield last


def told(run: DagRunInfo) -> tuple[str | None, datetime | None, datetime]:
    return run.partition_key, run.partition_date, run.run_after


@pytest.mark.parametrize(("zone", "year"), ZONES)
@pytest.mark.parametrize("weekdays", ["1-7", "1-6", "7"])  # the night, nightly and weekly training
def test_every_day_has_one_key_and_runs_when_it_is_over(zone: str, year: int, weekdays: str) -> None:
    days = days_of(zone, year)
    first, _, last = weekdays.partition("-")
    wanted = range(int(first), int(last or first) + 1)
    expected = [(day.isoformat(), begin, end) for day, begin, end in days if day.isoweekday() in wanted]
    timetable = BusinessDays(timezone=zone, weekdays=weekdays)
    runs = scheduled(timetable, days[0][2] - MINUTES, days[-1][2])
    assert [told(run) for run in runs] == expected
    backfill = timetable.iter_partition_dagrun_infos(
        earliest=datetime.combine(days[0][0], datetime.min.time(), UTC),
        latest=datetime.combine(days[-1][0], datetime.min.time(), UTC),
    )
    assert [told(run) for run in backfill] == expected


@pytest.mark.parametrize(("zone", "year"), ZONES)
def test_a_scheduler_that_wakes_up_starts_the_day_that_ended_last(zone: str, year: int) -> None:
    timetable = BusinessDays(timezone=zone)
    days = days_of(zone, year)
    for (day, _, end), (_, _, next_end) in pairwise(days):
        for now in (end, next_end - MINUTES):
            with mock.patch("airflow.timetables.trigger.utcnow", return_value=pendulum.instance(now)):
                found = timetable.next_dagrun_info_v2(
                    last_dagrun_info=DagRunInfo(pendulum.instance(days[0][1]), None, None, None),
                    restriction=TimeRestriction(None, None, catchup=False),
                )
            assert found is not None and (found.partition_key, found.run_after) == (day.isoformat(), end)


@pytest.mark.parametrize(("zone", "year"), ZONES)
def test_a_key_by_hand_and_the_bounds_of_a_filter_are_where_the_day_begins(zone: str, year: int) -> None:
    """So that a run by hand, a scheduled one and a backfill of the same day know of each other."""
    timetable = BusinessDays(timezone=zone)
    for day, begin, _ in days_of(zone, year):
        assert timetable.resolve_partition_date(day.isoformat()) == begin
        assert timetable.localize_partition_datetime(datetime.combine(day, datetime.min.time(), UTC)) == begin


@pytest.mark.parametrize("key", ["2024-1-5", "20240105", "2024-02-30", "yesterday"])
def test_a_key_that_is_no_day_is_refused(key: str) -> None:
    with pytest.raises(InvalidPartitionKeyError, match=f"expected YYYY-MM-DD, found '{key}'"):
        BusinessDays(timezone="UTC").resolve_partition_date(key)


def test_what_airflow_stores_is_the_same_timetable() -> None:
    timetable = BusinessDays(timezone="Africa/Cairo", weekdays="1-6")
    stored = json.loads(json.dumps(timetable.serialize()))
    again = BusinessDays.deserialize(stored)
    assert again == timetable and again.serialize() == timetable.serialize()
    assert (again.summary, again.partitioned) == ("0 0 * * 2,3,4,5,6,7", True)
    friday = datetime(2024, 4, 26, tzinfo=UTC)  # whose midnight Cairo skips
    runs = again.iter_partition_dagrun_infos(earliest=friday - timedelta(1), latest=friday + timedelta(2))
    assert [run.partition_key for run in runs] == ["2024-04-25", "2024-04-26", "2024-04-27"]


def test_the_package_registers_it_with_airflow() -> None:
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["entry-points"]["airflow.plugins"]
    plugin = EntryPoint("tidemark_timetable", declared["tidemark_timetable"], "airflow.plugins").load()
    assert plugin.timetables == [BusinessDays]


@pytest.mark.parametrize("zone", ["Africa/Cairo", "America/Santiago", "Asia/Beirut", "America/Havana", "Europe/Berlin"])
def test_every_hour_that_a_zone_has_is_a_key_of_the_intraday_refresh(zone: str) -> None:
    """Airflow's own timetable is right there: its search for the hour before goes by instants. An hour that comes twice
    is a key twice, and a second refresh of it takes what has landed since."""
    hourly = CronPartitionTimetable("0 * * * *", timezone=zone, run_offset=-1, key_format="%Y-%m-%dT%H")
    for around in [begin for _, begin, end in days_of(zone, 2024) if end - begin != timedelta(days=1)]:
        instant, keys, hours = around - timedelta(hours=6), [], set()
        while instant < around + timedelta(hours=36):
            run = hourly._get_next(pendulum.instance(instant))
            keys.append(hourly._get_partition_info(run_date=run)[1])
            hours.add((run - timedelta(minutes=1)).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H"))
            instant = run
        assert set(keys) == hours and len(hours) >= 41


def test_monthly_is_the_last_day_of_each_month_when_it_is_over() -> None:
    """Also in a year with a 29th of February, and after a journey through the database."""
    made = BusinessDays(timezone="Europe/Berlin", monthly=True)
    assert made._expression == "0 0 1 * *"
    timetable = BusinessDays.deserialize(json.loads(json.dumps(made.serialize())))
    found = list(scheduled(timetable, datetime(2024, 1, 15, tzinfo=UTC), datetime(2024, 6, 15, tzinfo=UTC)))
    assert [it.partition_key for it in found] == ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31"]
    assert [it.run_after.hour for it in found] == [23, 23, 22, 22, 22]  # midnight in Berlin, in UTC
    assert BusinessDays.deserialize({"timezone": "UTC", "weekdays": "7"}).serialize()["monthly"] is False
