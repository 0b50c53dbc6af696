"""From visits to rows: what a person sees, opens, likes and buys, step by step.

A step lasts at least a minute: search, a page of up to three impressions, view, favorite, cart, purchase. Rows of one
person thus never share item, type and second, nor come close to the bot rule.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.sources.sample.ads import SPONSORED_SHARE, campaign_items, choose_campaign, clicks
from pipeline.sources.sample.items import Catalogue
from pipeline.sources.sample.people import People
from pipeline.sources.sample.phrases import draw_queries
from pipeline.sources.sample.rows import Kind, Rows
from pipeline.sources.sample.visits import LONGEST_STEPS, Visits

PAGE = np.array([0.35, 0.20, 0.25, 0.20])  # odds of 0 to 3 impressions
COMPANION_SHARE, RECALL_SHARE = 0.45, 0.25
SEARCH, VIEW, CART, FAVORITE, PURCHASE = 0.18, 0.80, 0.22, 0.07, 0.48
STEP_MS, DWELL_MS, LONGEST_DWELL_MS = 60_000, 60_000, 480_000
# When within a step each thing happens, in milliseconds.
AT = {
    "search": 0,
    "page": 3_000,
    "view": 8_000,
    "sponsored": 12_000,
    "click": 16_000,
    "favorite": 21_000,
    "cart": 26_000,
    "purchase": 45_000,
}


@dataclass
class Browser:
    """Turns visits of one platform and day into rows; `last_item` is each person's last one."""

    people: People
    catalogue: Catalogue
    platform: int
    popularity: np.ndarray
    last_item: np.ndarray

    def browse(self, rng: np.random.Generator, visits: Visits) -> Rows:
        """All rows of the visits, in no order."""
        parts: list[Rows] = []
        time = visits.start + visits.ahead + rng.integers(0, 1000, len(visits))
        item = np.full(len(visits), -1)
        for step in range(LONGEST_STEPS):
            on = np.flatnonzero(visits.steps > step)
            here = visits.take(on)
            item[on] = self._next_item(rng, here, item[on], first=step == 0)
            parts += self._step(rng, here, item[on], time[on])
            if step == 0:
                parts += self._sponsored(rng, here, time[on])
            time[on] += STEP_MS + _dwell(rng, len(on))
        self.last_item[visits.user] = item
        return Rows.concat(parts)

    def _next_item(self, rng: np.random.Generator, visits: Visits, before: np.ndarray, first: bool) -> np.ndarray:
        """A companion of the item before (or of the last visit's), else a popular one."""
        if first:
            before = self.last_item[visits.user]
        share = RECALL_SHARE if first else COMPANION_SHARE
        popular = self.catalogue.draw(rng, self.popularity, self.platform, visits.topic)
        follows = (before >= 0) & (rng.random(len(visits)) < share)
        item = np.where(follows, self.catalogue.companion(rng, before), popular)
        item = np.where(visits.wanted >= 0, visits.wanted, item)
        return self.catalogue.known_by(rng, item, visits.day)

    def _step(self, rng: np.random.Generator, visits: Visits, item: np.ndarray, time: np.ndarray) -> list[Rows]:
        user, errand = visits.user, visits.wanted >= 0
        searched = rng.random(len(user)) < SEARCH
        viewed = errand | (rng.random(len(user)) < VIEW)
        liked = viewed & (rng.random(len(user)) < FAVORITE)
        keen = rng.random(len(user)) < CART * self.people.thrift[user]
        carted = viewed & (errand | keen)
        bought = carted & (errand | (rng.random(len(user)) < PURCHASE))
        priced = {"item": item, "price": self.catalogue.price[item]}
        query = _rows(visits, time, Kind.SEARCH, phrase=draw_queries(rng, visits.topic))
        return [
            query.take(searched),
            *self._page(rng, visits, item, time + AT["page"]),
            _rows(visits, time + AT["view"], Kind.VIEW, **priced).take(viewed),
            _rows(visits, time + AT["favorite"], Kind.FAVORITE, **priced).take(liked),
            _rows(visits, time + AT["cart"], Kind.CART, quantity=1, **priced).take(carted),
            self._purchase(rng, visits, time + AT["purchase"], priced).take(bought),
        ]

    def _page(self, rng: np.random.Generator, visits: Visits, item: np.ndarray, time: np.ndarray) -> list[Rows]:
        """Up to three impressions at one moment, of different items; the first is the step's."""
        shown = rng.choice(len(PAGE), len(visits), p=PAGE)
        seen, parts = [item], [_rows(visits, time, Kind.IMPRESSION, item=item).take(shown > 0)]
        for slot in range(1, len(PAGE) - 1):
            other = self.catalogue.draw(rng, self.popularity, self.platform, visits.topic)
            other = self.catalogue.known_by(rng, other, visits.day)
            new = np.all([other != earlier for earlier in seen], axis=0)
            row = _rows(visits, time, Kind.IMPRESSION, item=other)
            parts.append(row.take(new & (shown > slot)))
            seen.append(other)
        return parts

    def _purchase(self, rng: np.random.Generator, visits: Visits, time: np.ndarray, priced: dict) -> Rows:
        quantity = np.minimum(rng.geometric(0.8, len(visits)), 6)
        order = time // 1000 * 1000 + visits.user % 1000
        return _rows(visits, time, Kind.PURCHASE, quantity=quantity, order=order, **priced)

    def _sponsored(self, rng: np.random.Generator, visits: Visits, time: np.ndarray) -> list[Rows]:
        on = np.flatnonzero((rng.random(len(visits)) < SPONSORED_SHARE) & (visits.wanted < 0))
        visits, time = visits.take(on), time[on]
        campaign, chance = choose_campaign(rng, self.people, visits.user)
        item = campaign_items(self.catalogue, self.platform, campaign)
        ad = {"item": item, "campaign": campaign}
        price = self.catalogue.price[item]
        shown = _rows(visits, time + AT["sponsored"], Kind.IMPRESSION, propensity=chance, **ad)
        opened = _rows(visits, time + AT["click"], Kind.VIEW, price=price, **ad)
        return [shown, opened.take(clicks(rng, campaign, visits.topic))]


def _rows(visits: Visits, time: np.ndarray, kind: Kind, **columns: np.ndarray | int) -> Rows:
    return Rows.of(visits.user, time, kind, fate=visits.fate, **columns)


def _dwell(rng: np.random.Generator, number: int) -> np.ndarray:
    pause = DWELL_MS * rng.lognormal(0, 0.8, number)
    return np.minimum(pause, LONGEST_DWELL_MS).astype(np.int64)
