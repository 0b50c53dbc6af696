"""Visits of a day: who comes to which platform, when, for what, and with which defect of time."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pipeline.sources.sample.clock import DAY_MS, PLATFORMS, Clock
from pipeline.sources.sample.people import Home, People
from pipeline.sources.sample.rows import Fate

LONGEST_STEPS = 10
MORE_STEPS = 0.36  # chance to stop after each step: 2.8 steps a visit
APART_MS = 2 * 3_600_000  # one person's visits of a day start at least this far apart
SHARES = {Fate.LATE: 0.012, Fate.TOO_LATE: 0.002, Fate.SKEWED: 0.008, Fate.IN_FUTURE: 0.001}


@dataclass
class Visits:
    """One element per visit; `ahead` is how far the clock is off (ms), `wanted` an item or -1."""

    user: np.ndarray
    platform: np.ndarray
    day: np.ndarray
    start: np.ndarray
    steps: np.ndarray
    topic: np.ndarray
    wanted: np.ndarray
    fate: np.ndarray
    ahead: np.ndarray

    def take(self, index: np.ndarray) -> Visits:
        """Visits by position or by mask."""
        return Visits(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def __len__(self) -> int:
        return len(self.user)


def draw_visits(rng: np.random.Generator, people: People, clock: Clock, day: int, number: int) -> Visits:
    """Visits that land on a day; a late one took place (and is drawn as of) some days before."""
    presence = np.cumsum(people.presence(day), dtype=np.float64)
    if presence[-1] == 0:
        number = 0
    user = np.searchsorted(presence, rng.random(number) * presence[-1], "right")
    home = people.home[user]
    platform = np.where(home == Home.BOTH, rng.integers(0, len(PLATFORMS), number), home)
    fate, lag, ahead = _time_defects(rng, number)
    took_place = day - lag
    return Visits(
        user=user,
        platform=platform,
        day=took_place,
        start=clock.moments(rng, platform, took_place),
        steps=np.minimum(rng.geometric(MORE_STEPS, number), LONGEST_STEPS),
        topic=people.draw_topic(rng, user, took_place),
        wanted=np.full(number, -1),
        fate=fate,
        ahead=ahead,
    )


def errands(
    rng: np.random.Generator,
    clock: Clock,
    day: int,
    user: np.ndarray,
    bought: np.ndarray,
    platform: np.ndarray,
    topic: np.ndarray,
) -> Visits:
    """One-step visits that come for an item and buy it: a repurchase or an accessory."""
    number = len(user)
    days = np.full(number, day)
    zero = np.zeros(number, dtype=np.int64)
    start = clock.moments(rng, platform, days)
    return Visits(user, platform, days, start, zero + 1, topic, bought, zero + Fate.CLEAN, zero)


def spread(visits: list[Visits]) -> Visits:
    """All visits by start, without those that come too soon after another of the same person.

    So no two rows of a person on one day agree in item, type and second unless that was planted.
    """
    joined = Visits(*(np.concatenate([getattr(v, f.name) for v in visits]) for f in fields(Visits)))
    by_person = joined.take(np.lexsort((joined.start, joined.user)))
    same = np.diff(by_person.user, prepend=-1) == 0
    soon = np.diff(by_person.start, prepend=0) < APART_MS
    kept = by_person.take(~(same & soon))
    return kept.take(np.argsort(kept.start, kind="stable"))


def _time_defects(rng: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fate, days of delay and milliseconds ahead of each visit."""
    fates = [Fate.CLEAN, *SHARES]
    odds = [1 - sum(SHARES.values()), *SHARES.values()]
    fate = rng.choice(np.array(fates, dtype=np.int8), number, p=odds)
    lag = np.where(fate == Fate.LATE, rng.choice([1, 2, 3], number, p=[0.7, 0.2, 0.1]), 0)
    lag = np.where(fate == Fate.TOO_LATE, rng.integers(6, 21, number), lag)
    drift = np.clip(rng.lognormal(np.log(60), 2.0, number), 3, 6 * 3600) * 1000
    ahead = np.where(fate == Fate.SKEWED, drift, 0).astype(np.int64)
    return fate, lag, np.where(fate == Fate.IN_FUTURE, rng.integers(3, 40, number) * DAY_MS, ahead)
