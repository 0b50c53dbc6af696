"""When a DAG of business days runs: once for each local day, as soon as the day is over.

    schedule=BusinessDays(timezone=settings.business_tz, weekdays="7")    # each Sunday, when it is over
    schedule=BusinessDays(timezone=settings.business_tz, monthly=True)     # the last day of each month

Airflow's own `CronPartitionTimetable("0 0 * * *", run_offset=-1)` looks for the midnight before the tick. Where a clock
change skips midnight (Cairo, Santiago, Beirut, Havana) the tick is at 01:00 and that search stops at the tick itself:
one night a year gets the key of the day that begins, and the day that ended gets none. A tick in the last minute of the
day fails in the same way where that minute is skipped (Nuuk). So this timetable counts days and not ticks.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from airflow.exceptions import InvalidPartitionKeyError
from airflow.timetables.base import DagRunInfo
from airflow.timetables.trigger import CronPartitionTimetable
from pendulum import DateTime, instance

from pipeline.runtime.days import day_end, parse_day, walk
from pipeline.runtime.errors import UsageError

EVERY_DAY = "1-7"
KEY_FORMAT = "%Y-%m-%d"
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


class BusinessDays(CronPartitionTimetable):
    """The partition key is a day, the run starts when it is over in `timezone`.

    weekdays: "7" or "1-6" for those days alone, Monday is 1. monthly: the last day of each month alone. A
    date that a zone left out (Apia, 2011-12-30) has no run. A backfill takes the days from its first date to its last,
    both included.
    """

    def __init__(self, *, timezone: str, weekdays: str = EVERY_DAY, monthly: bool = False) -> None:
        first, _, last = weekdays.partition("-")
        self._zone, self._weekdays, self._monthly = timezone, weekdays, monthly
        self._wanted = range(int(first), int(last or first) + 1)
        # The ticks as a cron expression, for people: Airflow shows it as the schedule.
        ticks = "*" if weekdays == EVERY_DAY else ",".join(str(day % 7 + 1) for day in self._wanted)
        super().__init__(f"0 0 {1 if monthly else '*'} * {ticks}", timezone=timezone, key_format=KEY_FORMAT)

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "BusinessDays":
        return cls(timezone=data["timezone"], weekdays=data["weekdays"], monthly=data.get("monthly", False))

    def serialize(self) -> dict[str, Any]:
        return {"timezone": self._zone, "weekdays": self._weekdays, "monthly": self._monthly}

    def iter_partition_dagrun_infos(self, *, earliest: datetime, latest: datetime) -> Iterable[DagRunInfo]:
        """The runs of a backfill: of the days that the two dates and those between them name."""
        for ds in walk(earliest.date().isoformat(), latest.date().isoformat()):
            day = date.fromisoformat(ds)
            if self._has(day):
                yield self._run(day)

    def localize_partition_datetime(self, dt: datetime) -> DateTime:
        """A wall-clock reading as an instant, the first where there are two: where its day begins if it is midnight."""
        if dt.time() == time():
            return self._begin(dt.date())
        return super().localize_partition_datetime(dt)

    def _decode_partition_date(self, partition_key: str) -> datetime:
        try:
            return self._begin(date.fromisoformat(parse_day(partition_key)))
        except UsageError as error:
            raise InvalidPartitionKeyError(f"partition key: {error}") from None

    def _get_partition_date(self, *, run_date: datetime) -> DateTime:
        """Where the day begins that was over at `run_date`."""
        return self._begin(self._day_of(run_date - INSTANT))

    def _get_next(self, current: datetime) -> DateTime:
        """The first tick after `current`."""
        day = self._day_of(current) - DAY
        while not (self._has(day) and self._end(day) > current):
            day += DAY
        return self._end(day)

    def _get_prev(self, current: datetime) -> DateTime:
        """The last tick before `current`."""
        day = self._day_of(current) + DAY
        while not (self._has(day) and self._end(day) < current):
            day -= DAY
        return self._end(day)

    def _run(self, day: date) -> DagRunInfo:
        return DagRunInfo(
            run_after=self._end(day),
            data_interval=None,
            partition_date=self._begin(day),
            partition_key=day.isoformat(),
        )

    def _has(self, day: date) -> bool:
        wanted = day.isoweekday() in self._wanted and (not self._monthly or (day + DAY).day == 1)
        return wanted and self._begin(day) < self._end(day)

    def _begin(self, day: date) -> DateTime:
        return self._end(day - DAY)

    def _end(self, day: date) -> DateTime:
        return instance(day_end(day.isoformat(), [self._zone]))

    def _day_of(self, instant: datetime) -> date:
        return instant.astimezone(self._timezone).date()
