"""Items of the sample: titles, prices, popularity with trend, companions, new items daily."""

from dataclasses import dataclass

import numpy as np

from pipeline.sources.sample.clock import PLATFORMS
from pipeline.sources.sample.topics import TOPICS

COMPANIONS = 4  # items that people look at next, likeliest first
COMPANION_ODDS = np.array([0.5, 0.25, 0.15, 0.10])
STARTERS = 3  # items of each group that are always there
LARGEST_GROUP = 1_300  # a topic's words make about 2,300 titles, shared by two platforms
ALWAYS = -31
NEW_SHARE, TWIN_SHARE, REPRICED_SHARE = 0.25, 0.25, 0.004


@dataclass
class Catalogue:
    """One element per item, ordered by group = (platform, topic) with edges `bounds`."""

    topic: np.ndarray
    platform: np.ndarray
    first_day: np.ndarray
    title: list[str]
    brand: list[str]
    price: np.ndarray
    appeal: np.ndarray
    trend: np.ndarray
    quality: np.ndarray
    companions: np.ndarray
    bounds: np.ndarray

    def __len__(self) -> int:
        return len(self.topic)

    def popularity(self, day: int, days: int) -> np.ndarray:
        """Running sum of the items' weights on a day, with a leading zero, for `draw`."""
        age = day - self.first_day
        fresh = 1 + np.exp(-np.clip(age, 0, 60) / 7)
        weight = self.appeal * np.exp(self.trend * day / days) * fresh * (age >= 0)
        return np.concatenate([[0.0], np.cumsum(weight)])

    def draw(self, rng: np.random.Generator, popularity: np.ndarray, platform: int, topic: np.ndarray) -> np.ndarray:
        """One item per wanted topic, by popularity."""
        group = platform * len(TOPICS) + topic
        low, high = popularity[self.bounds[group]], popularity[self.bounds[group + 1]]
        found = np.searchsorted(popularity, low + rng.random(len(topic)) * (high - low), "right")
        return np.clip(found - 1, self.bounds[group], self.bounds[group + 1] - 1)

    def companion(self, rng: np.random.Generator, item: np.ndarray) -> np.ndarray:
        """An item that goes with each given one."""
        place = rng.choice(COMPANIONS, size=len(item), p=COMPANION_ODDS)
        return self.companions[item, place]

    def known_by(self, rng: np.random.Generator, item: np.ndarray, day: np.ndarray) -> np.ndarray:
        """The same items, but a starter of the group where one did not exist yet on that day."""
        group = self.platform[item].astype(np.int64) * len(TOPICS) + self.topic[item]
        starter = self.bounds[group] + rng.integers(0, STARTERS, len(item))
        return np.where(self.first_day[item] <= day, item, starter)

    def listed(self, platform: int, day: int, rng: np.random.Generator) -> np.ndarray:
        """Items to deliver on a day: new ones and some repriced (here); all of them on day 0."""
        on = np.flatnonzero((self.platform == platform) & (self.first_day <= day))
        if day == 0:
            return on
        repriced = on[rng.random(len(on)) < REPRICED_SHARE]
        change = rng.uniform(0.8, 1.2, len(repriced))
        self.price[repriced] = _shelf_price(self.price[repriced] / 100 * change)
        return np.union1d(on[self.first_day[on] == day], repriced)


def plant_items(rng: np.random.Generator, number: int, days: int) -> Catalogue:
    """`number` items in all; each group has STARTERS + 2 to LARGEST_GROUP."""
    groups = len(PLATFORMS) * len(TOPICS)
    share = rng.dirichlet(np.full(len(TOPICS), 12.0)) / len(PLATFORMS)
    sizes = np.tile(share * number, len(PLATFORMS)).astype(int)
    sizes = np.clip(sizes, STARTERS + 2, LARGEST_GROUP)
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    topic = np.repeat(np.tile(np.arange(len(TOPICS)), len(PLATFORMS)), sizes)
    platform = np.repeat(np.arange(groups) // len(TOPICS), sizes)
    titles, brands = _name(rng, sizes[: len(TOPICS)])
    count = len(topic)
    place = np.arange(count) - np.repeat(bounds[:-1], sizes)
    new = (rng.random(count) < NEW_SHARE) & (place >= STARTERS) & (days > 1)
    median = np.array([t.median_price for t in TOPICS])[topic]
    return Catalogue(
        topic=topic.astype(np.int8),
        platform=platform.astype(np.int8),
        first_day=np.where(new, rng.integers(1, max(days, 2), count), ALWAYS).astype(np.int32),
        title=titles,
        brand=brands,
        price=_shelf_price(median * rng.lognormal(0, 0.45, count)),
        appeal=rng.lognormal(0, 1.1, count),
        trend=rng.normal(0, 0.6, count),
        quality=np.clip(rng.normal(4.1, 0.5, count), 1.5, 5),
        companions=_companions(rng, bounds, sizes),
        bounds=bounds,
    )


def _name(rng: np.random.Generator, sizes: np.ndarray) -> tuple[list[str], list[str]]:
    """Titles and brands, both platforms in a row; some titles are sold on both (twins)."""
    titles: list[list[str]] = [[], []]
    brands: list[list[str]] = [[], []]
    for topic, size in zip(TOPICS, sizes, strict=True):
        words = (topic.brands, topic.styles, topic.things, topic.variants)
        shape = tuple(len(w) for w in words)
        pool = rng.permutation(int(np.prod(shape)))
        twins = int(size * TWIN_SHARE)
        picks = (pool[:size], np.concatenate([pool[:twins], pool[size : 2 * size - twins]]))
        for side, pick in enumerate(picks):
            named = zip(*np.unravel_index(pick, shape), strict=True)
            for brand, *rest in named:
                parts = [w[i] for w, i in zip(words[1:], rest, strict=True)]
                titles[side].append(" ".join([topic.brands[brand], *parts]))
                brands[side].append(topic.brands[brand])
    return titles[0] + titles[1], brands[0] + brands[1]


def _shelf_price(price: np.ndarray) -> np.ndarray:
    """Cents, ending in 9 as shops like it, never below 0.99."""
    return (np.maximum(np.round(price * 10), 10) * 10 - 1).astype(np.int32)


def _companions(rng: np.random.Generator, bounds: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Fixed neighbours of each item within its group, never the item itself."""
    low, size = np.repeat(bounds[:-1], sizes), np.repeat(sizes, sizes)
    place = np.arange(bounds[-1]) - low
    step = 1 + (rng.random((COMPANIONS, len(place))) * (size - 1)).astype(np.int64)
    return (low + (place + step) % size).T.astype(np.int32)
