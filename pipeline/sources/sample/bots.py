"""Bots: visits of hundreds to thousands of views at two to five a second.

Every visit holds more than 60 of them within one minute, so it breaks the bot rule.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.sources.sample.clock import Clock
from pipeline.sources.sample.items import Catalogue
from pipeline.sources.sample.rows import Fate, Kind, Rows

ROW_SHARE = 0.03  # of all rows
SHORTEST, TYPICAL, LONGEST = 240, 900, 4_000
VISITS_EACH = 4


@dataclass(frozen=True)
class Bots:
    """One element per visit; `user` numbers follow those of the people."""

    user: np.ndarray
    platform: np.ndarray
    day: np.ndarray
    length: np.ndarray

    def rows(self, rng: np.random.Generator, catalogue: Catalogue, clock: Clock, platform: int, day: int) -> Rows:
        """Rows of a platform and day: the catalogue in a random order, mostly views."""
        today = np.flatnonzero((self.platform == platform) & (self.day == day))
        start, end = (int(clock.starts(platform, np.array(d))) for d in (day, day + 1))
        goods = np.flatnonzero((catalogue.platform == platform) & (catalogue.first_day <= day))
        parts = []
        for visit in today:
            length = int(self.length[visit])
            pause = rng.integers(200, 500, length).cumsum()
            time = rng.integers(start, end - pause[-1]) + pause
            item = np.resize(rng.permutation(goods), length)
            kind = np.where(rng.random(length) < 0.85, Kind.VIEW, Kind.IMPRESSION)
            price = np.where(kind == Kind.VIEW, catalogue.price[item], -1)
            user = np.full(length, self.user[visit])
            row = Rows.of(user, time, 0, item=item, price=price, fate=Fate.BOT)
            row.kind = kind.astype(np.int8)
            parts.append(row)
        return Rows.concat(parts)


def plant_bots(rng: np.random.Generator, first_user: int, events: int, days: int) -> Bots:
    """Visits that make up ROW_SHARE of all rows, at most one a day for each bot."""
    budget = max(int(events * ROW_SHARE), SHORTEST)
    length = rng.lognormal(np.log(TYPICAL), 0.6, budget // SHORTEST)
    length = np.clip(length, SHORTEST, min(LONGEST, budget)).astype(int)
    length = length[: max(1, int(np.searchsorted(np.cumsum(length), budget, "right")))]
    visits, each = len(length), min(VISITS_EACH, days)
    bots = -(-visits // each)
    bot, turn = np.arange(visits) % bots, np.arange(visits) // bots
    first = rng.integers(0, days, bots)
    return Bots(
        user=first_user + bot,
        platform=bot % 2,
        day=(first[bot] + turn * (days // each)) % days,
        length=length,
    )
