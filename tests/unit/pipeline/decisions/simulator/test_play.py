"""Regret is what the truth says it is, plays repeat, and learning beats not learning."""

import numpy as np
import pytest

from pipeline.decisions.bandits.specification import Policy
from pipeline.decisions.simulator.play import FLOOR, Player, oracle, play
from pipeline.decisions.simulator.world import (
    ARMS,
    EXAMINED,
    IMPRESSIONS,
    KINDS,
    ROUNDS,
    make_world,
)


@pytest.fixture(scope="module")
def worlds():
    return [make_world(seed) for seed in range(2)]


def test_uniform_loses_the_gap_to_the_best_arm_where_ads_are_looked_at(worlds) -> None:
    regret = play(Player("uniform", Policy("uniform")), worlds, seed=0)
    world = worlds[1]
    first = sum(
        (max(world.rates[0][kind]) - sum(world.rates[0][kind]) / ARMS) * IMPRESSIONS * sum(world.places[0] * EXAMINED)
        for kind in range(KINDS)
    )
    assert regret[1, 0] == pytest.approx(first)
    assert (np.diff(regret) > 0).all()


def test_a_play_repeats_and_depends_on_its_seed(worlds) -> None:
    player = Player("ts", Policy("thompson_gaussian", discount=0.95))
    once, again, other = (play(player, worlds[:1], seed) for seed in (0, 0, 1))
    assert (once == again).all()
    assert (once != other).any()


@pytest.mark.parametrize("name", ["epsilon_greedy", "thompson_gaussian", "linucb"])
def test_what_learns_loses_less_than_uniform(worlds, name) -> None:
    uniform = play(Player("uniform", Policy("uniform")), worlds, 0)[:, -1].mean()
    assert play(Player(name, Policy(name)), worlds, 0)[:, -1].mean() < 0.7 * uniform


def test_forgetting_pays_once_tastes_have_changed(worlds) -> None:
    late = slice(2 * ROUNDS // 3, None)

    def lost(**memory: float) -> float:
        curves = play(Player("x", Policy("thompson_gaussian", **memory)), worlds, 0)  # type: ignore[arg-type]
        return float(np.diff(curves)[:, late].sum())

    assert lost(discount=0.95) < 0.8 * lost()


def test_the_oracle_knows_the_best_arm_and_clicks_stay_below_looks(worlds) -> None:
    world, rng = worlds[0], np.random.default_rng(0)
    assert oracle(world, 3) == pytest.approx(world.rates[3].max(axis=1))
    clicks, looks = world.clicks(rng, 0, np.full((KINDS, ARMS), 10_000))
    expected = world.rates[0] * looks
    assert np.abs(clicks - expected).max() < 6 * np.sqrt(expected.max())
    assert looks.sum() == pytest.approx(KINDS * ARMS * 10_000 * world.looks(0), rel=0.02)
    assert 0 < FLOOR * ARMS < 1
