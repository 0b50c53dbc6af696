"""A policy with what it learned: probabilities of the active arms for any user."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.decisions.bandits.bandits import probabilities, with_floor
from pipeline.decisions.bandits.linear import LinearArms
from pipeline.decisions.bandits.specification import CHAMPION, CONTEXTUAL, Policy
from pipeline.decisions.bandits.statistics import ArmStatistics, gather, memory_weights
from pipeline.decisions.campaigns.campaign import Campaign
from pipeline.decisions.campaigns.contexts import FEATURES


@dataclass(frozen=True)
class Lesson:
    """Impressions to learn from: aligned arrays; `arm` numbers all arms of the campaign."""

    user: np.ndarray
    segment: np.ndarray
    features: np.ndarray
    arm: np.ndarray
    reward: np.ndarray
    examined: np.ndarray
    age_days: np.ndarray

    def __len__(self) -> int:
        return len(self.arm)

    def where(self, mask: np.ndarray) -> "Lesson":
        return Lesson(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))


class Learned(Protocol):
    """Rows x active arms, the floor included."""

    def of(self, user: np.ndarray, segment: np.ndarray, features: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class BySegment:
    """One distribution per segment; a segment that was never seen gets that of all together."""

    names: np.ndarray  # sorted
    table: np.ndarray  # the last row is of all segments together

    def of(self, user: np.ndarray, segment: np.ndarray, features: np.ndarray) -> np.ndarray:
        at = np.minimum(np.searchsorted(self.names, segment), max(len(self.names) - 1, 0))
        known = self.names[at] == segment if len(self.names) else np.zeros(len(segment), bool)
        return self.table[np.where(known, at, len(self.table) - 1)]


@dataclass(frozen=True)
class ByFeatures:
    """A linear policy; people are distinguished by their features."""

    policy: Policy
    model: LinearArms
    floor: float
    seed: int

    def of(self, user: np.ndarray, segment: np.ndarray, features: np.ndarray) -> np.ndarray:
        return with_floor(self.model.probabilities(self.policy, features, self.seed), self.floor)


@dataclass(frozen=True)
class AsPublished:
    """What is published today; new users get the mean.

    `users` is sorted, and `places` says which row of `table`, which may lie on disk, is whose.
    """

    users: np.ndarray
    places: np.ndarray
    table: np.ndarray
    mean: np.ndarray
    floor: float

    def of(self, user: np.ndarray, segment: np.ndarray, features: np.ndarray) -> np.ndarray:
        found = np.tile(self.mean, (len(user), 1))
        if len(self.users):
            wanted = np.asarray(user, dtype=self.users.dtype)
            at = np.minimum(np.searchsorted(self.users, wanted), len(self.users) - 1)
            known = self.users[at] == wanted
            found[known] = self.table[self.places[at[known]]]
        return floored(found, self.floor)


def learn(
    policy: Policy,
    lesson: Lesson,
    campaign: Campaign,
    seed: int,
    published: Callable[[], AsPublished],
) -> Learned:
    """What the policy makes of the impressions. Retired arms teach nothing.

    `published` reads the policy in place; only the policy `champion` asks for it.
    """
    if policy.name == CHAMPION:
        return published()
    active = np.array([not arm.retired for arm in campaign.arms])
    lesson = lesson.where(active[lesson.arm])
    arm = (active.cumsum() - 1)[lesson.arm]
    weights = memory_weights(policy, lesson.age_days)
    if policy.name in CONTEXTUAL:
        model = LinearArms.of(int(active.sum()), len(FEATURES)).add(
            lesson.features, arm, lesson.reward / lesson.examined, weights * lesson.examined
        )
        return ByFeatures(policy, model, campaign.exploration_floor, seed)
    names, stratum = np.unique(lesson.segment, return_inverse=True)
    size = (len(names), int(active.sum()))
    each = gather(stratum, arm, lesson.reward, weights, size, lesson.examined)
    table = probabilities(policy, _and_all(each))
    return BySegment(names, with_floor(table, campaign.exploration_floor))


def floored(chances: np.ndarray, floor: float) -> np.ndarray:
    """At least the floor for every arm; unlike `with_floor` it leaves what has it as it is."""
    lifted = np.maximum(chances, floor)
    spare = lifted - floor
    room = 1 - floor * chances.shape[1]
    total = spare.sum(axis=1, keepdims=True)
    even = np.full_like(spare, room / chances.shape[1])
    return floor + np.where(total > 0, spare / np.where(total > 0, total, 1) * room, even)


def _and_all(each: ArmStatistics) -> ArmStatistics:
    parts = (each.shown, each.reward, each.squares)
    return ArmStatistics(*(np.vstack([it, it.sum(axis=0)]) for it in parts))
