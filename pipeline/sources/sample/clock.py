"""Days of the sample: which they are, how busy, and when they begin in each platform's zone."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np

LAST_DAY = date(2026, 3, 31)  # fixed: the sample never depends on the clock of the machine
PLATFORMS = ("webshop", "marketplace")
ZONES = ("Europe/Berlin", "Europe/London")

# Monday to Sunday, and midnight to 23:00.
WEEKDAY_LOAD = np.array([0.95, 0.90, 0.92, 0.97, 1.05, 1.15, 1.10])
HOUR_LOAD = np.array([12, 7, 4, 3, 3, 5, 12, 25, 38, 45, 50, 52, 58, 52, 48, 48, 52, 60, 72, 85, 95, 88, 60, 30])
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Clock:
    """Days are numbered 0 … days - 1; negative numbers are the days before the first."""

    days: int
    last_day: date

    def ds(self, day: int) -> str:
        """Business day as YYYY-MM-DD."""
        return (self.last_day - timedelta(days=self.days - 1 - day)).isoformat()

    def starts(self, platform: int, day: np.ndarray) -> np.ndarray:
        """UTC milliseconds of local midnight of each day (from -31 to days + 1)."""
        return self._starts[platform][np.asarray(day) + 31]

    @cached_property
    def _starts(self) -> list[np.ndarray]:
        return [np.array([self._midnight(ZoneInfo(zone), day) for day in range(-31, self.days + 2)]) for zone in ZONES]

    def _midnight(self, zone: ZoneInfo, day: int) -> int:
        local = datetime.fromisoformat(self.ds(day)).replace(tzinfo=zone)
        return int(local.astimezone(UTC).timestamp()) * 1000

    @cached_property
    def load(self) -> np.ndarray:
        """Share of all rows that each day should carry: weekly rhythm on a slow yearly wave."""
        dates = [date.fromisoformat(self.ds(day)) for day in range(self.days)]
        yearly = [1 + 0.08 * np.cos(2 * np.pi * d.timetuple().tm_yday / 365) for d in dates]
        load = WEEKDAY_LOAD[[d.weekday() for d in dates]] * np.array(yearly)
        return load / load.sum()

    def moments(self, rng: np.random.Generator, platform: np.ndarray, day: np.ndarray) -> np.ndarray:
        """UTC milliseconds of a random moment of each local day (DST makes some 23 or 25 h)."""
        hour = rng.choice(24, size=len(day), p=HOUR_LOAD / HOUR_LOAD.sum())
        share = (hour + rng.random(len(day))) / 24
        moment = np.empty(len(day), dtype=np.int64)
        for number in range(len(PLATFORMS)):
            on = platform == number
            start, end = self.starts(number, day[on]), self.starts(number, day[on] + 1)
            moment[on] = start + (share[on] * (end - start)).astype(np.int64)
        return moment
