"""False alarms and power of the tests of experiments, by simulation.

    python -m tests.bench experiments [2000]

A/A: two equal arms, 4,000 users of an experiment who come one by one, looked at 20 times, with
metrics as shops have them. A promise of 5% is kept when the share of experiments with an alarm is
at most 5% but for the noise of the simulation, which is printed. A/B: a gain of a quarter.
"""

import argparse
from collections.abc import Callable

import numpy as np

from pipeline.decisions.experiments.assignment import assign
from pipeline.decisions.experiments.sequential import LEAST_USERS, always_valid_p_values
from pipeline.decisions.experiments.statistics import (
    RATIO_ALARM,
    cuped,
    difference,
    ratio_p_value,
    users_needed,
)

USERS, LOOKS, ALPHA = 4_000, 20, 0.05
METRICS: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "buyers (10%)": lambda rng, rate: (rng.random(len(rate)) < 0.1 * rate).astype(float),
    "orders (Poisson)": lambda rng, rate: rng.poisson(0.4 * rate).astype(float),
    "revenue (lognormal, 90% zero)": lambda rng, rate: (
        (rng.random(len(rate)) < 0.1 * rate) * rng.lognormal(3, 1, len(rate))
    ),
}


def simulate(name: str, times: int, effect: float) -> None:
    """One line per test of a metric."""
    rng, make = np.random.default_rng(7), METRICS[name]
    fixed, with_cuped, peeked, valid, stopped = 0, 0, 0, 0, []
    gone = []
    for _ in range(times):
        rate = rng.gamma(0.5, 2.0, USERS)  # people differ much, and stay as they are
        arm = rng.integers(0, 2, USERS)
        before, metric = make(rng, rate), make(rng, rate * (1 + effect * arm))
        ends = np.linspace(USERS / LOOKS, USERS, LOOKS).astype(int)
        adjusted, share = cuped(metric, before)
        gone.append(share)
        looks = [difference(arm[:end], cuped(metric[:end], before[:end])[0]) for end in ends]
        spread = (effect or 0.1) * metric.mean() if metric.any() else 1.0
        p_values = np.array(always_valid_p_values(looks, spread))
        fixed += difference(arm, metric).p_value < ALPHA
        with_cuped += difference(arm, adjusted).p_value < ALPHA
        peeked += min(it.p_value for it in looks if min(it.users) >= LEAST_USERS) < ALPHA
        if p_values[-1] < ALPHA:
            valid += 1
            stopped.append(int(np.argmax(p_values < ALPHA)) + 1)
    noise = 1.96 * np.sqrt(ALPHA * (1 - ALPHA) / times)
    print(
        f"{name:<30} effect {effect:4.0%}: one look {fixed / times:6.2%}, with CUPED "
        f"{with_cuped / times:6.2%}, always valid {valid / times:6.2%}, naive peeking "
        f"{peeked / times:6.2%} (± {noise:.2%}); variance gone {np.mean(gone):.0%}"
        + (f"; stops at look {np.mean(stopped):.1f} of {LOOKS}" if stopped and effect else ""),
        flush=True,
    )


def sample_ratios(times: int) -> None:
    """How often the sample ratio cries wolf, over salts."""
    users = [f"{number:032x}" for number in range(2_000)]
    p_values = []
    for salt in range(times):
        arm = assign(users, f"salt {salt}", (0.5, 0.5))
        p_values.append(ratio_p_value((int((arm == 0).sum()), int((arm == 1).sum())), (0.5, 0.5)))
    found = np.array(p_values)
    print(
        f"sample ratio over {times} salts: below 5% {np.mean(found < 0.05):.2%}, "
        f"below the alarm of {RATIO_ALARM:.1%} {np.mean(found < RATIO_ALARM):.2%}"
    )


def power(times: int) -> None:
    """How often a gain is seen with the users that the calculator asks for."""
    rng, needed = np.random.default_rng(8), users_needed((0.115 * 0.885) ** 0.5, 0.03)
    seen = 0
    for _ in range(times):
        arm = rng.integers(0, 2, needed)
        metric = (rng.random(needed) < 0.1 + 0.03 * arm).astype(float)
        seen += difference(arm, metric).p_value < ALPHA
    print(f"power with {needed:,} users (asked for 80%): {seen / times:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("times", type=int, nargs="?", default=2_000, help="experiments to simulate")
    times = parser.parse_args().times
    print(f"{times:,} experiments of {USERS:,} users, {LOOKS} looks")
    for effect in (0.0, 0.25):
        for name in METRICS:
            simulate(name, times if not effect else times // 4, effect)
    sample_ratios(min(times, 500))
    power(times)


if __name__ == "__main__":
    main()
