"""From histories to touches: which topics each user engaged with on which day.

The unit of evidence is the active day: what happens within a visit is correlated, so thirty views in one evening say
little more than one. A day is divided among its topics and counts for 1, or less if it has only weak signals. Days are
arrival days: what is known then stays known, so a longer history only appends to a shorter one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from pyspark.sql import Column
from pyspark.sql import functions as F

# What an event says about an interest, relative to a view. A purchase is a decision, a view a glance; a review repeats
# a purchase that was counted; a return says that the item was wrong, not that the interest is gone. Searches name no
# item, impressions are not listed.
WEIGHTS = {"view": 1.0, "favorite": 2.0, "cart": 2.0, "purchase": 3.0, "review": 0.25}
LISTS = {"items": "item_id", "kinds": "event_type", "days": "arrival_ds"}


def history_lists() -> list[Column]:
    """The columns of `user_history` that touches are made of; other fields need not be read."""
    return [F.col("user_id"), *(F.col(f"events.{field}").alias(to) for to, field in LISTS.items())]


@dataclass(frozen=True)
class Touches:
    """One element per user, day and topic, sorted by them.

    `user` and `topic` are positions (among `users`, in the list of topics), `day` counts from 1970-01-01, `part` is the
    topic's part of the day (a day's sum is at most 1), `events` how many events are evidence of it.
    """

    users: int
    user: np.ndarray
    day: np.ndarray
    topic: np.ndarray
    part: np.ndarray
    events: np.ndarray

    @classmethod
    def of(cls, rows: pl.DataFrame, users: int) -> "Touches":
        """From rows with these columns, in any order."""
        rows = rows.sort("user", "day", "topic")
        return cls(
            users,
            *(rows[name].cast(pl.Int64).to_numpy() for name in ("user", "day", "topic")),
            *(rows[name].cast(pl.Float64).to_numpy() for name in ("part", "events")),
        )

    def day_mass(self) -> np.ndarray:
        """The sum of the parts of each element's day."""
        new = (np.diff(self.user, prepend=-1) != 0) | (np.diff(self.day, prepend=-1) != 0)
        day = np.cumsum(new) - 1
        return np.bincount(day, self.part)[day] if len(day) else self.part

    def split(self, size: int) -> Iterator["Touches"]:
        """Parts of `size` users each; one, without users, when there are none."""
        for first in range(0, max(self.users, 1), size):
            users = min(size, self.users - first)
            rows = slice(*np.searchsorted(self.user, (first, first + users)))
            columns = (self.day, self.topic, self.part, self.events)
            yield Touches(users, self.user[rows] - first, *(column[rows] for column in columns))

    def sums(self, weights: np.ndarray, topics: int) -> np.ndarray:
        """`weights` summed by user and topic: (users, topics)."""
        cell = self.user * topics + self.topic
        sums = np.bincount(cell, weights, self.users * topics).astype(np.float64)
        return sums.reshape(self.users, topics)


def find_touches(histories: pl.DataFrame, item_topics: pl.DataFrame) -> pl.DataFrame:
    """Rows of Touches of the users in `histories` (`history_lists`), in no order.

    `item_topics` has `item_id` and `topic`, a position; items without a topic are ignored.
    """
    events = histories.with_row_index("user").select("user", *LISTS)
    events = events.filter(pl.col("items").list.len() > 0).explode(*LISTS)
    told = pl.col("kinds").replace_strict(WEIGHTS, default=0.0, return_dtype=pl.Float64)
    telling = events.select("user", "items", "days", told=told).filter(pl.col("told") > 0)
    known = telling.join(item_topics, left_on="items", right_on="item_id")
    rows = known.group_by("user", "days", "topic").agg(pl.col("told").sum(), events=pl.len())
    whole_day = pl.max_horizontal(pl.col("told").sum().over("user", "days"), 1.0)
    day = pl.col("days").str.to_date().to_physical()
    return rows.select("user", "topic", "events", day=day, part=pl.col("told") / whole_day)
