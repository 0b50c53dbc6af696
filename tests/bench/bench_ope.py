"""How often intervals hold the truth; seconds and memory of judging a challenger, by length.

    python -m tests.bench ope [1000000 3000000 10000000]

First 500 logs of 5,000 impressions (8 arms, 4 strata, rates of 1 to 20%) are drawn and a mostly
greedy policy is judged on each: the share of 95% intervals that hold its true value and gain, also of the direct method
with a model that is wrong (the same reward for every arm).

50 arms, 20 strata, clustered by user. Each length runs in a process of its own: all estimators,
normal and bootstrap intervals, diagnostics, and the paired comparison of two policies. The log is
held as arrays (22 bytes a row) and worked on in chunks.
"""

import argparse
import os
import resource
import subprocess
import time

import numpy as np

from tests.bench.processes import again

ARMS, STRATA = 50, 20


def synthetic(rows: int):
    """A log of a softmax policy with a floor, drawn once from a fixed seed."""
    from pipeline.decisions.ope.log import Log

    rng = np.random.default_rng(3)
    scores = np.exp(rng.normal(0, 1, (STRATA, ARMS)))
    logging = 0.2 / ARMS + 0.8 * scores / scores.sum(axis=1, keepdims=True)
    worth = rng.uniform(0.01, 0.2, (STRATA, ARMS))
    stratum = rng.integers(0, STRATA, rows, dtype=np.int16)
    edges = np.cumsum(logging, axis=1)
    edges = (edges / edges[:, -1:] + np.arange(STRATA)[:, None]).ravel()
    action = np.searchsorted(edges, stratum + rng.random(rows)) - stratum.astype(np.int64) * ARMS
    action = np.minimum(action, ARMS - 1).astype(np.int16)
    reward = (rng.random(rows) < worth[stratum, action]).astype(np.float32)
    user = rng.integers(0, max(rows // 10, 1), rows, dtype=np.int32)
    names = tuple(f"arm {number}" for number in range(ARMS))
    return Log.checked(names, action, reward, logging[stratum, action], stratum, cluster=user), logging, worth


def measure(rows: int) -> None:
    from pipeline.decisions.ope.judge import compare, evaluate

    log, logging, worth = synthetic(rows)
    greedy = 0.1 / ARMS + 0.9 * np.eye(ARMS)[worth.argmax(axis=1)]
    truth = (greedy * worth).sum(axis=1).mean()
    for name, call in (
        ("evaluate", lambda: evaluate(log, greedy)),
        ("compare", lambda: compare(log, greedy, logging)),
    ):
        began, cpu = time.perf_counter(), sum(os.times()[:2])
        verdict = call()
        wall, used = time.perf_counter() - began, sum(os.times()[:2]) - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        best = verdict.estimates["doubly_robust"]
        print(
            f"{name:<9} {rows:>11,} rows {wall:6.1f} s {used:6.1f} s of CPU, peak {peak:.2f} GiB; "
            f"doubly robust {best.value:.5f} ± {1.96 * best.error:.5f}"
            + (f", truth {truth:.5f}" if name == "evaluate" else ""),
            flush=True,
        )


def coverage(logs: int = 500, rows: int = 5_000) -> None:
    """Prints the share of intervals that hold the truth, and the mean error, by estimator."""
    from pipeline.decisions.ope.estimators import ESTIMATORS
    from pipeline.decisions.ope.judge import compare, evaluate
    from pipeline.decisions.ope.log import Log
    from pipeline.decisions.ope.reward_model import FOLDS, MeanModel

    wrong = MeanModel(np.full((FOLDS, 4, 8), 0.05))
    rng = np.random.default_rng(9)
    worth = rng.uniform(0.01, 0.2, (4, 8))
    scores = np.exp(rng.normal(0, 1, (4, 8)))
    logging = 0.2 / 8 + 0.8 * scores / scores.sum(axis=1, keepdims=True)
    greedy = 0.1 / 8 + 0.9 * np.eye(8)[worth.argmax(axis=1)]
    truths = [((policy * worth).sum(axis=1)).mean() for policy in (greedy, logging)]
    names = (*ESTIMATORS, "direct, wrong model")
    held, widths = ({name: np.zeros(4) for name in names} for _ in range(2))
    errors = {name: [] for name in names}
    for _ in range(logs):
        stratum = rng.integers(0, 4, rows)
        action = (rng.random((rows, 1)) > logging.cumsum(axis=1)[stratum]).sum(axis=1).clip(max=7)
        reward = (rng.random(rows) < worth[stratum, action]).astype(float)
        log = Log.checked(tuple("abcdefgh"), action, reward, logging[stratum, action], stratum)
        for at, (judge, policies, truth) in enumerate(
            (
                (evaluate, (greedy,), truths[0]),
                (compare, (greedy, logging), truths[0] - truths[1]),
            )
        ):
            found = judge(log, *policies).estimates
            found["direct, wrong model"] = judge(log, *policies, wrong).estimates["direct"]
            for name, it in found.items():
                for number, (low, high) in enumerate((it.normal, it.bootstrap)):
                    held[name][2 * at + number] += low <= truth <= high
                    widths[name][2 * at + number] += high - low
                if not at:
                    errors[name].append(it.value - truth)
    print(f"{logs} logs of {rows:,} impressions, true value {truths[0]:.4f}: intervals that hold it")
    for name, shares in held.items():
        value, gain = shares[:2] / logs, shares[2:] / logs
        off, wide = np.array(errors[name]), widths[name] / logs
        print(
            f"  {name:<19} value {value[0]:.1%} normal, {value[1]:.1%} bootstrap; gain "
            f"{gain[0]:.1%}, {gain[1]:.1%}; mean width {wide[0]:.4f}, {wide[1]:.4f}; bias {off.mean():+.5f}, "
            f"root mean squared error {np.sqrt((off**2).mean()):.5f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="*", help="lengths of the log, without the intervals before them")
    parser.add_argument("--one", type=int, metavar="ROWS", help="one length, in this process")
    given = parser.parse_args()
    if given.one:
        measure(given.one)
        return
    if not given.rows:
        coverage()
    for rows in given.rows or [1_000_000, 3_000_000, 10_000_000]:
        subprocess.run(again("ope", "--one", rows), check=True)


if __name__ == "__main__":
    main()
