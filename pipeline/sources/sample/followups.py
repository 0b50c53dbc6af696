"""What follows a purchase days later: returns, reviews, repurchases and accessories."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from pipeline.sources.sample.clock import Clock
from pipeline.sources.sample.items import Catalogue
from pipeline.sources.sample.people import People
from pipeline.sources.sample.phrases import draw_reviews
from pipeline.sources.sample.rows import Fate, Kind, Rows
from pipeline.sources.sample.topics import TOPICS
from pipeline.sources.sample.visits import Visits, errands

REVIEW_SHARE, REBUY_SHARE, ACCESSORY_SHARE = 0.22, 0.55, 0.12
RETURN_RATE = np.array([t.return_rate for t in TOPICS])
CYCLE_DAYS = np.array([t.cycle_days for t in TOPICS])


@dataclass
class Followups:
    """Plans by due day: rows of returns and reviews, and (user, item) of purchases to come.

    Holds at most the purchases of the last 60 days' plans, so memory follows a day's purchases.
    """

    people: People
    catalogue: Catalogue
    clock: Clock
    rows: dict[int, list[Rows]] = field(default_factory=lambda: defaultdict(list))
    wishes: dict[int, list[tuple[np.ndarray, np.ndarray]]] = field(default_factory=lambda: defaultdict(list))

    def plan(self, rng: np.random.Generator, bought: Rows, day: int) -> None:
        """Decide what follows each purchase of a day."""
        topic = self.catalogue.topic[bought.item]
        returned = rng.random(len(bought)) < RETURN_RATE[topic]
        reviewed = rng.random(len(bought)) < REVIEW_SHARE
        again = ~returned & (CYCLE_DAYS[topic] > 0) & (rng.random(len(bought)) < REBUY_SHARE)
        more = ~returned & (rng.random(len(bought)) < ACCESSORY_SHARE)
        cycle = CYCLE_DAYS[topic] * rng.normal(1, 0.1, len(bought))
        self._later(day + rng.integers(3, 21, len(bought)), bought, Kind.RETURN, returned)
        self._later(day + rng.integers(2, 16, len(bought)), bought, Kind.REVIEW, reviewed)
        self._wish(day + np.maximum(cycle, 2).astype(int), bought.user, bought.item, again)
        beside = self.catalogue.companion(rng, bought.item)
        self._wish(day + rng.integers(1, 8, len(bought)), bought.user, beside, more)

    def due_rows(self, rng: np.random.Generator, day: int) -> Rows:
        """Returns and reviews of a day."""
        rows = Rows.concat(self.rows.pop(day, []))
        platform = self.catalogue.platform[rows.item]
        rows.time = self.clock.moments(rng, platform, np.full(len(rows), day))
        review = rows.kind == Kind.REVIEW
        score = np.round(rng.normal(self.catalogue.quality[rows.item], 0.9))
        rows.rating = np.where(review, np.clip(score, 1, 5), -1).astype(np.int8)
        rows.phrase = np.where(review, draw_reviews(rng, np.maximum(rows.rating, 1)), -1)
        return rows

    def due_visits(self, rng: np.random.Generator, day: int) -> Visits:
        """Visits of a day that come to buy; people who left stay away."""
        due = self.wishes.pop(day, [])
        user = np.concatenate([np.empty(0, np.int64), *(user for user, _ in due)])
        item = np.concatenate([np.empty(0, np.int64), *(item for _, item in due)])
        stays = day < self.people.left[user]
        user, item = user[stays], item[stays]
        platform, topic = self.catalogue.platform[item], self.catalogue.topic[item]
        return errands(rng, self.clock, day, user, item, platform.astype(np.int64), topic)

    def _later(self, due: np.ndarray, bought: Rows, kind: Kind, chosen: np.ndarray) -> None:
        rows = bought.take(chosen)
        rows.kind = np.full(len(rows), kind, dtype=np.int8)
        rows.fate = np.full(len(rows), Fate.CLEAN, dtype=np.int8)
        if kind == Kind.REVIEW:
            rows.price, rows.quantity = (
                np.full_like(rows.price, -1),
                np.full_like(rows.quantity, -1),
            )
        for day, index in _by_day(due[chosen], self.clock.days):
            self.rows[day].append(rows.take(index))

    def _wish(self, due: np.ndarray, user: np.ndarray, item: np.ndarray, chosen: np.ndarray) -> None:
        user, item = user[chosen], item[chosen]
        for day, index in _by_day(due[chosen], self.clock.days):
            self.wishes[day].append((user[index], item[index]))


def _by_day(due: np.ndarray, days: int) -> list[tuple[int, np.ndarray]]:
    """Positions due on each day before the end."""
    wanted = np.unique(due[due < days])
    return [(int(day), np.flatnonzero(due == day)) for day in wanted]
