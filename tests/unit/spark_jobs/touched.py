"""Touches and histories of a few users, written as a test can read them."""

from datetime import date

import numpy as np
import polars as pl

from spark_jobs.interests.population import Population
from spark_jobs.interests.touches import Touches

FIRST = date(2011, 1, 3)  # a Monday
DAY0 = (FIRST - date(1970, 1, 1)).days


def touches(*users: str) -> Touches:
    """A letter per day from FIRST on: the topic of that day (`a` is 0), `.` for none."""
    rows = [
        {"user": user, "day": DAY0 + day, "topic": ord(letter) - ord("a"), "part": 1.0, "events": 1}
        for user, days in enumerate(users)
        for day, letter in enumerate(days)
        if letter != "."
    ]
    names = ("user", "day", "topic", "part", "events")
    return Touches.of(pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Float64)), len(users))


def population(*share: float, concentration: float = 1.0) -> Population:
    names = [f"t{n + 1:04d}" for n in range(len(share))]
    return Population(names, np.array(share), concentration)


def history(events: list[tuple[str, str, str]]) -> dict[str, list[str]]:
    """`history_lists` of (item, event type, day)."""
    items, kinds, days = ([event[n] for event in events] for n in range(3))
    return {"items": items, "kinds": kinds, "days": days}
