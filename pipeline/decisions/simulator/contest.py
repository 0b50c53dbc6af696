"""Regret of every policy in worlds with known truth.

    python -m pipeline ads simulate --seeds 20 --out DIR

Prints a table and writes `DIR/regret.png`. The world: `pipeline/decisions/simulator/world.py`.
"""

from pathlib import Path

import numpy as np

from pipeline.decisions.bandits.specification import Policy
from pipeline.decisions.simulator.play import Player, play
from pipeline.decisions.simulator.report import draw, table
from pipeline.decisions.simulator.world import make_world

DISCOUNT, WINDOW = 0.95, 20
PLAYERS = (
    Player("uniform", Policy("uniform")),
    Player("frozen on day 20", Policy("thompson_beta"), freeze_on=20),
    *[Player(name, Policy(name)) for name in ("epsilon_greedy", "ucb1", "thompson_beta", "thompson_gaussian")],
    *[Player(name, Policy(name)) for name in ("linucb", "lints")],
    *[
        Player(f"{name}, discount {DISCOUNT}", Policy(name, discount=DISCOUNT))
        for name in ("epsilon_greedy", "ucb1", "thompson_beta", "linucb", "lints")
    ],
    *[
        Player(f"{name}, window {WINDOW}", Policy(name, window_days=WINDOW))
        for name in ("ucb1", "thompson_beta", "lints")
    ],
    Player(
        f"thompson_beta, discount {DISCOUNT}, places ignored",
        Policy("thompson_beta", discount=DISCOUNT),
        corrects_places=False,
    ),
)


def simulate(seeds: int) -> dict[str, np.ndarray]:
    """Cumulative regret of every player, seeds x rounds."""
    worlds = [make_world(seed) for seed in range(seeds)]
    return {player.name: play(player, worlds, seed=0) for player in PLAYERS}


def contest(seeds: int, out: Path) -> None:
    """Plays all policies in `seeds` worlds, prints their regret, and draws it into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    regrets = simulate(seeds)
    print(table(regrets))
    draw(regrets, out / "regret.png")
    print(f"picture: {out / 'regret.png'}")
