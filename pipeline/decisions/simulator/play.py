"""Lets a policy play in the worlds of several seeds, and counts what it lost.

Regret of an impression: click rate of the best arm for that kind of people that day, less that of the policy on
average, where the ad is looked at. The oracle's is 0. It is computed from the truth and the probabilities, so it has no
noise of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.decisions.bandits.bandits import probabilities, with_floor
from pipeline.decisions.bandits.linear import LinearArms
from pipeline.decisions.bandits.specification import CONTEXTUAL, Policy
from pipeline.decisions.bandits.statistics import ArmStatistics, memory_weights
from pipeline.decisions.simulator.world import ARMS, IMPRESSIONS, KINDS, ROUNDS, WAIT, World

FLOOR = 0.01


@dataclass(frozen=True)
class Player:
    """A policy as it is played. `freeze_on`: from that day on it repeats itself.

    Without `corrects_places` it takes every impression for one that was looked at.
    """

    name: str
    policy: Policy
    freeze_on: int = ROUNDS
    corrects_places: bool = True


class History:
    """What was shown and clicked so far, rounds x (worlds x kinds) x arms."""

    def __init__(self, worlds: int) -> None:
        self.looks = np.zeros((ROUNDS, worlds * KINDS, ARMS))
        self.clicks = np.zeros_like(self.looks)

    def statistics(self, policy: Policy, day: int) -> ArmStatistics:
        """Of the days whose clicks are complete, older ones counting less."""
        known = max(day - WAIT, 0)
        weights = memory_weights(policy, np.arange(known)[::-1])
        looks, clicks = (np.tensordot(weights, it[:known], axes=1) for it in (self.looks, self.clicks))
        return ArmStatistics(looks, clicks, clicks)  # a click is 1, so is its square


def play(player: Player, worlds: list[World], seed: int) -> np.ndarray:
    """Cumulative regret, worlds x rounds."""
    history, rng = History(len(worlds)), np.random.default_rng((seed, 2))
    regret, chances = np.zeros((len(worlds), ROUNDS)), np.empty(0)
    for day in range(ROUNDS):
        if day <= player.freeze_on:
            chances = with_floor(_chances(player, history, worlds, day), FLOOR)
        for number, world in enumerate(worlds):
            mine = slice(number * KINDS, (number + 1) * KINDS)
            shown = rng.multinomial(IMPRESSIONS, chances[mine] / chances[mine].sum(1)[:, None])
            clicks, looks = world.clicks(rng, day, shown)
            history.clicks[day, mine] = clicks
            history.looks[day, mine] = looks if player.corrects_places else shown
            regret[number, day] = _lost(world, day, chances[mine])
    return regret.cumsum(axis=1)


def oracle(world: World, day: int) -> np.ndarray:
    """Clicks per impression looked at that the best arm of each kind earns."""
    return world.rates[day].max(axis=1)


def _lost(world: World, day: int, chances: np.ndarray) -> float:
    per_look = oracle(world, day) - (chances * world.rates[day]).sum(axis=1)
    return float(per_look.sum() * IMPRESSIONS * world.looks(day))


def _chances(player: Player, history: History, worlds: list[World], day: int) -> np.ndarray:
    statistics = history.statistics(player.policy, day)
    if player.policy.name not in CONTEXTUAL:
        return probabilities(player.policy, statistics)
    model = _linear(statistics)
    parts = [
        model(number, world.features).probabilities(player.policy, world.features, seed=day)
        for number, world in enumerate(worlds)
    ]
    return np.concatenate(parts)


def _linear(statistics: ArmStatistics) -> Callable[[int, np.ndarray], LinearArms]:
    """The linear model of a world: every kind and arm as one row of rewards 1 and one of 0."""
    arm = np.tile(np.arange(ARMS), KINDS)

    def of(number: int, features: np.ndarray) -> LinearArms:
        mine = slice(number * KINDS, (number + 1) * KINDS)
        rows = np.repeat(features, ARMS, axis=0)
        clicks = statistics.reward[mine].ravel()
        others = np.maximum(statistics.shown[mine].ravel() - clicks, 0)
        model = LinearArms.of(ARMS, features.shape[1])
        for reward, weight in ((1.0, clicks), (0.0, others)):
            model = model.add(rows, arm, np.full(len(rows), reward), weight)
        return model

    return of
