"""Touches laid out for a walk over all users at once, day by day."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spark_jobs.interests.touches import Touches


@dataclass(frozen=True)
class DayPaths:
    """Users by number of active days, most first: those with a n-th day come first, n by n.

    `user` is the position in the touches and `days` the number of active days of each. A pair is a user and a topic
    that the user ever touched: `owner` and `topic` of each pair, those of one user side by side from `first[user]` to
    `first[user + 1]`. Rows are touches, in order of step (which active day of the user it is): those of step n from
    `step_first[n]` to `step_first[n + 1]`.
    """

    user: np.ndarray
    days: np.ndarray
    first: np.ndarray
    owner: np.ndarray
    topic: np.ndarray
    step_first: np.ndarray
    row_step: np.ndarray
    row_owner: np.ndarray
    row_pair: np.ndarray
    row_part: np.ndarray
    row_day: np.ndarray

    @classmethod
    def of(cls, touches: Touches, topics: int) -> "DayPaths":
        new_user = np.diff(touches.user, prepend=-1) != 0
        new_day = new_user | (np.diff(touches.day, prepend=-1) != 0)
        days = np.bincount(touches.user[new_day], minlength=touches.users)
        step = np.cumsum(new_day) - 1 - (np.cumsum(days) - days)[touches.user]
        user = np.argsort(-days, kind="stable")
        place = np.empty_like(user)
        place[user] = np.arange(len(user))
        owner = place[touches.user]
        pairs, pair = np.unique(owner * topics + touches.topic, return_inverse=True)
        rows = np.argsort(step, kind="stable")
        return cls(
            user=user,
            days=days[user],
            first=np.searchsorted(pairs // max(topics, 1), np.arange(touches.users + 1)),
            owner=pairs // max(topics, 1),
            topic=pairs % max(topics, 1),
            step_first=np.searchsorted(step[rows], np.arange(days.max(initial=0) + 1)),
            row_step=step[rows],
            row_owner=owner[rows],
            row_pair=pair[rows],
            row_part=touches.part[rows],
            row_day=touches.day[rows],
        )

    def walk(self) -> Iterator[tuple[int, int, int, np.ndarray, np.ndarray]]:
        """Per step: its number, how many users and pairs have it, parts by pair, day by user."""
        for step in range(len(self.step_first) - 1):
            rows = slice(*self.step_first[step : step + 2])
            users = int(np.searchsorted(-self.days, -step, "left"))
            pairs = int(self.first[users])
            parts = np.bincount(self.row_pair[rows], self.row_part[rows], pairs)
            day = np.zeros(users, dtype=np.int64)
            day[self.row_owner[rows]] = self.row_day[rows]
            yield step, users, pairs, parts, day

    def rows_of(self, owner: int) -> np.ndarray:
        """Positions of one user's rows, in order of step."""
        start, end = np.searchsorted(self.row_owner, (owner, owner + 1), sorter=self._by_owner)
        return self._by_owner[start:end]

    @cached_property
    def _by_owner(self) -> np.ndarray:
        return np.argsort(self.row_owner, kind="stable")
