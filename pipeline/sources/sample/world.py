"""The world of the sample, landed day by day: memory holds people, items and one chunk of a day.

The number of visits of a day is steered by what landed so far, so the total meets the wish.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.sources.sample import truth
from pipeline.sources.sample.bots import Bots, plant_bots
from pipeline.sources.sample.browsing import Browser
from pipeline.sources.sample.clock import PLATFORMS, Clock
from pipeline.sources.sample.defects import draw_redelivered, plant_defects
from pipeline.sources.sample.followups import Followups
from pipeline.sources.sample.formats import (
    WEBSHOP,
    EventFormat,
    encode_items,
    item_ids,
    landing_file,
    user_ids,
)
from pipeline.sources.sample.items import Catalogue, plant_items
from pipeline.sources.sample.people import People, plant_people
from pipeline.sources.sample.pictures import draw_pictures
from pipeline.sources.sample.rows import Fate, Kind, Rows
from pipeline.sources.sample.visits import Visits, draw_visits, spread

ROWS_PER_PERSON_DAY = 0.55
ITEMS_PER_ROOT = 4.5  # items = this times the square root of the events
CHUNK_VISITS = 20_000
ROUNDS = 2  # the second makes up for visits that fell too close together
FIRST_GUESS = 7.4  # rows per visit, until the first days show it


@dataclass
class World:
    """Everything that lasts longer than a day."""

    events: int
    seed: int
    clock: Clock
    people: People
    catalogue: Catalogue
    bots: Bots
    followups: Followups
    items: pl.Series
    formats: list[EventFormat]
    last_item: list[np.ndarray]
    left_over: list[list[Rows]] = field(default_factory=lambda: [[] for _ in PLATFORMS])
    rows: int = 0
    visits: int = 0
    visit_rows: int = 0
    pictures: bool = False

    def land(self, out: Path, day: int) -> list[dict[str, str | int]]:
        """Write both platforms' files of a day; returns their rows of the accounting."""
        rng = np.random.default_rng([self.seed, day])
        due = self.followups.due_rows(rng, day)
        visits = self.visits_of_day(rng, day, len(due))
        popularity = self.catalogue.popularity(day, self.clock.days)
        accounts = []
        for platform in range(len(PLATFORMS)):
            here = visits.take(visits.platform == platform)
            extra = due.take(self.catalogue.platform[due.item] == platform)
            counts = self._land_platform(rng, out, day, platform, here, extra, popularity)
            accounts.append(truth.accounting_row(platform, self.clock.ds(day), counts))
            self.rows += int(counts.sum())
        return accounts

    def visits_of_day(self, rng: np.random.Generator, day: int, due_rows: int) -> Visits:
        """As many visits as bring the total to its share by the end of this day."""
        wanted = self.events * self.clock.load[: day + 1].sum() - self.rows - due_rows
        wanted -= self.bots.length[self.bots.day == day].sum()
        rows_per_visit = self.visit_rows / self.visits if self.visits else FIRST_GUESS
        number = max(0, round(wanted / rows_per_visit))
        visits = self.followups.due_visits(rng, day)
        for _ in range(ROUNDS):
            more = max(0, number - len(visits))
            visits = spread([visits, draw_visits(rng, self.people, self.clock, day, more)])
        self.visits += len(visits)
        return visits

    def _land_platform(
        self,
        rng: np.random.Generator,
        out: Path,
        day: int,
        platform: int,
        visits: Visits,
        due: Rows,
        popularity: np.ndarray,
    ) -> np.ndarray:
        """Write one platform's day in chunks; returns the number of rows by fate."""
        ds, form = self.clock.ds(day), self.formats[platform]
        with landing_file(out, platform, ds, "items") as file:
            index = self.catalogue.listed(platform, day, rng)
            file.write(encode_items(self.catalogue, self.items, platform, index, self.pictures))
        if self.pictures and platform == WEBSHOP:
            draw_pictures(out, self.catalogue, self.items, index, self.seed)
        browser = Browser(self.people, self.catalogue, platform, popularity, self.last_item[platform])
        bots = self.bots.rows(rng, self.catalogue, self.clock, platform, day)
        extra = [*self.left_over[platform], due, bots]
        self.left_over[platform] = []
        counts = np.zeros(len(Fate), dtype=np.int64)
        with landing_file(out, platform, ds) as file:
            file.write(form.header())
            for first in range(0, max(len(visits), 1), CHUNK_VISITS):
                chunk = visits.take(np.arange(first, min(first + CHUNK_VISITS, len(visits))))
                browsed = browser.browse(rng, chunk)
                self.visit_rows += len(browsed)
                landed = self._deliver(rng, [browsed, *extra], platform, day)
                extra = []
                file.write(form.encode(landed))
                counts += np.bincount(landed.fate, minlength=len(Fate))
        return counts

    def _deliver(self, rng: np.random.Generator, parts: list[Rows], platform: int, day: int) -> Rows:
        """Rows that land today, defects planted; what is for tomorrow goes to `left_over`."""
        rows = Rows.concat(parts)
        midnight = self.clock.starts(platform, np.array(day + 1))
        tomorrow = (rows.time >= midnight) & (rows.fate == Fate.CLEAN)
        today = plant_defects(rng, rows.take(~tomorrow), platform)
        self.left_over[platform] += [rows.take(tomorrow), draw_redelivered(rng, today)]
        bought = (today.kind == Kind.PURCHASE) & (today.fate == Fate.CLEAN)
        self.followups.plan(rng, today.take(bought), day)
        return today


def plant_world(events: int, clock: Clock, seed: int) -> World:
    """People, items, bots and their ids for a sample of about `events` rows."""
    rng = np.random.default_rng([seed, 2**31])
    per_person = np.clip(ROWS_PER_PERSON_DAY * clock.days, 2, 100)
    people = plant_people(rng, max(20, round(events / per_person)), clock.days)
    catalogue = plant_items(rng, round(ITEMS_PER_ROOT * events**0.5), clock.days)
    bots = plant_bots(rng, len(people), events, clock.days)
    items, users = item_ids(catalogue), int(bots.user.max()) + 1
    return World(
        events=events,
        seed=seed,
        clock=clock,
        people=people,
        catalogue=catalogue,
        bots=bots,
        followups=Followups(people, catalogue, clock),
        items=items,
        formats=[EventFormat(p, user_ids(p, users), items) for p in range(len(PLATFORMS))],
        last_item=[np.full(len(people), -1, dtype=np.int32) for _ in PLATFORMS],
    )
