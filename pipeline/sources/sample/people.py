"""People of the sample: where they shop, what they like, how active, and how that changes."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from pipeline.sources.sample.topics import TOPICS

SLOTS = 3  # topics a person cares about, strongest first
NOISE = 0.06  # share of sessions on any topic at all
FADE_DAYS = 14  # churners slow down before they leave
SHIFT_SHARE, NEWCOMER_SHARE, CHURN_SHARE = 0.25, 0.25, 0.15
MARGIN_DAYS = 7  # nobody shifts within a week of joining or leaving
NEVER = 1_000_000


class Home(IntEnum):
    """Which platforms a person uses."""

    WEBSHOP = 0
    MARKETPLACE = 1
    BOTH = 2


class Shift(IntEnum):
    """How an interest changes; REVIVAL is one that went away and comes back."""

    NONE = 0
    ABRUPT = 1
    GRADUAL = 2
    REVIVAL = 3


@dataclass
class People:
    """One element per person; `topics` and `weights` are (people, SLOTS)."""

    home: np.ndarray
    activity: np.ndarray
    thrift: np.ndarray
    topics: np.ndarray
    weights: np.ndarray
    joined: np.ndarray
    left: np.ndarray
    shift: np.ndarray
    new_topic: np.ndarray
    shift_day: np.ndarray
    shift_length: np.ndarray
    gone_day: np.ndarray
    strength: np.ndarray

    def __len__(self) -> int:
        return len(self.home)

    def presence(self, day: int) -> np.ndarray:
        """Relative rate of visits of each person on a day."""
        fading = np.clip((self.left - day) / FADE_DAYS, 0.25, 1)
        alive = (self.joined <= day) & (day < self.left)
        return self.activity * fading * alive

    def draw_topic(self, rng: np.random.Generator, person: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Topic of each visit: a slot by weight, shifts of the strongest one, some noise."""
        roll = rng.random(len(person))[:, None]
        slot = np.minimum((roll > np.cumsum(self.weights[person], axis=1)).sum(axis=1), SLOTS - 1)
        topic = self.topics[person, slot]
        replaced = (slot == 0) & (rng.random(len(person)) < self.shifted_share(person, day))
        topic = np.where(replaced, self.new_topic[person], topic)
        noise = rng.random(len(person)) < NOISE
        return np.where(noise, rng.integers(0, len(TOPICS), len(person)), topic)

    def shifted_share(self, person: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Share of the strongest slot's visits that go to `new_topic` on a day.

        For a revival `new_topic` is the second interest, which stands in while the first is gone.
        """
        since = day - self.shift_day[person]
        ramp = np.clip((since + 1) / self.shift_length[person], 0, 1) * self.strength[person]
        away = (day >= self.gone_day[person]) & (since < 0)
        revival = self.shift[person] == Shift.REVIVAL
        return np.where(revival, away * self.strength[person], ramp * (self.shift[person] > 0))


def plant_people(rng: np.random.Generator, number: int, days: int) -> People:
    """People with tastes, life spans and planted shifts."""
    topics = _distinct_topics(rng, number)
    second = np.clip(rng.beta(2, 5, number), 0.05, 0.4)
    third = second * rng.uniform(0.1, 0.6, number)
    weights = np.stack([1 - second - third, second, third], axis=1).astype(np.float32)
    newcomer, churner = rng.random(number) < NEWCOMER_SHARE, rng.random(number) < CHURN_SHARE
    joined = np.where(newcomer, rng.integers(1, max(2, int(days * 0.9)), number), -31)
    stay = rng.integers(int(days * 0.3) + 1, days + 1, number)
    left = np.where(churner, np.maximum(joined, 0) + stay, NEVER)
    return People(
        home=rng.choice(3, number, p=[0.45, 0.30, 0.25]).astype(np.int8),
        activity=np.clip(rng.lognormal(0, 1.0, number), 0.05, 12).astype(np.float32),
        thrift=np.clip(rng.lognormal(0, 0.5, number), 0.2, 2.5).astype(np.float32),
        topics=topics[:, :SLOTS],
        weights=weights,
        joined=joined.astype(np.int32),
        left=left.astype(np.int32),
        **_plant_shifts(rng, topics, joined, left, days),
    )


def _distinct_topics(rng: np.random.Generator, number: int) -> np.ndarray:
    """SLOTS + 1 different topics per person: steps around the ring of topics never meet."""
    first = rng.integers(0, len(TOPICS), number)
    steps = rng.integers(1, len(TOPICS) // (SLOTS + 1), (number, SLOTS)).cumsum(axis=1)
    ring = np.column_stack([first, first[:, None] + steps]) % len(TOPICS)
    shuffle = np.argsort(rng.random((number, SLOTS + 1)), axis=1)
    return np.take_along_axis(ring, shuffle, axis=1).astype(np.int8)


def _plant_shifts(
    rng: np.random.Generator, topics: np.ndarray, joined: np.ndarray, left: np.ndarray, days: int
) -> dict[str, np.ndarray]:
    """Who shifts, how and when: well within each person's time, so that both sides can be seen."""
    number = len(topics)
    kinds = rng.choice([Shift.ABRUPT, Shift.GRADUAL, Shift.REVIVAL], number, p=[0.45, 0.35, 0.20])
    start = rng.integers(int(days * 0.4), max(int(days * 0.85), int(days * 0.4) + 1), number)
    seen = (joined + MARGIN_DAYS <= start) & (start + MARGIN_DAYS <= left)
    chosen = seen & (rng.random(number) < SHIFT_SHARE)
    shift = np.where(chosen, kinds, Shift.NONE).astype(np.int8)
    revival, gradual = shift == Shift.REVIVAL, shift == Shift.GRADUAL
    length = np.where(gradual, rng.integers(14, 29, number), 1)
    gone = np.where(revival, rng.integers(1, max(2, int(days * 0.2)), number), NEVER)
    return {
        "shift": shift,
        "new_topic": np.where(revival, topics[:, 1], topics[:, SLOTS]).astype(np.int8),
        "shift_day": start.astype(np.int32),
        "shift_length": length.astype(np.int32),
        "gone_day": gone.astype(np.int32),
        "strength": rng.uniform(0.7, 1.0, number).astype(np.float32),
    }
