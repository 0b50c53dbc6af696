"""What uplift finds in worlds whose truth is known, and in a real log; what it costs.

    python -m tests.bench uplift coverage [200] [WORLD]    # constant effects: false alarms
    python -m tests.bench uplift recovery [6] [WORLD]      # rankings next to the oracle's
    python -m tests.bench uplift open_bandit               # the real random log
    python -m tests.bench uplift cost [1000000]            # CPU seconds and memory

Worlds: 20 features, outcomes of 0 or 1 that a tenth of users gives without treatment. Features
predict outcomes far better than effects, and in the world `policy` the treatment too.
"""

import argparse
import resource
import time

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from pipeline.decisions.uplift.candidates import CANDIDATES, name_of
from pipeline.decisions.uplift.effects import difference_p_value
from pipeline.decisions.uplift.judge import findings, judge
from pipeline.decisions.uplift.qini import qini, ranked
from pipeline.decisions.uplift.scorers import cross_fit
from pipeline.decisions.uplift.soundness import check_balance
from pipeline.decisions.uplift.trial import Trial, places
from pipeline.runtime.errors import UpliftError
from tests.real_data import real_data

FEATURES = 20
WORLDS = ("even", "fifth", "policy")  # half treated, a fifth, or by a policy that prefers users
SIZES = (2_000, 10_000, 50_000)


def world(
    users: int, seed: int, kind: str = "even", differ: float = 1.0, features: int = FEATURES
) -> tuple[Trial, np.ndarray]:
    """A trial and its true effects: 3 points on average, and as much standard deviation."""
    rng = np.random.default_rng((seed, users))
    known = rng.normal(size=(users, features)).astype(np.float32)
    base = 0.1 * np.exp(0.7 * known[:, 0] + 0.4 * known[:, 1] - 0.325)
    shape = 0.6 * known[:, 2] + 0.8 * (known[:, 3] > 0) * (known[:, 0] > 0) - 0.2
    truth = np.clip(0.03 + 0.03 * differ * shape / 0.7, -base.clip(max=0.9), 0.9 - base.clip(max=0.9))
    share = {"even": 0.5, "fifth": 0.2}.get(kind) or 1 / (1 + np.exp(-1.2 * known[:, 0]))
    treated = rng.random(users) < share
    outcome = (rng.random(users) < base.clip(max=0.9) + truth * treated).astype(float)
    made = Trial(
        f"experiment:w{seed}",
        "old",
        "new",
        "buyers",
        names(users),
        treated,
        outcome,
        np.where(treated, share, 1 - share) * np.ones(users),
        known,
        tuple(map(str, range(features))),
        users,
    )
    return made, truth


def names(users: int) -> np.ndarray:
    return np.array([f"{number:032x}" for number in range(users)])


def coverage(draws: int, worlds: tuple[str, ...], users: int = 2_000) -> None:
    """Constant effects: intervals of the Qini coefficient should hold 0 in 95% of draws.

    `crossed`: the same figures of ordinary cross-fitting, each fold by models of all others.
    """
    for kind in worlds:
        held = {
            name: []
            for name in (
                "Qini holds 0",
                "Qini above 0",
                "p < 5%",
                "mean effect held",
                "adjusted held",
                "crossed Qini above 0",
                "crossed p < 5%",
                "refused as predictable",
            )
        }
        for seed in range(draws):
            made, truth = world(users, seed, kind, differ=0.0)
            found = findings(made)
            low, high = found.qini.interval
            held["Qini holds 0"].append(low <= 0 <= high)
            held["Qini above 0"].append(low > 0)
            held["p < 5%"].append(found.difference_p_value < 0.05)
            for name, effect in (("mean effect", found.plain), ("adjusted", found.adjusted)):
                bottom, top = effect.interval()
                held[f"{name} held"].append(bottom <= truth.mean() <= top)
            crossed = found.scorers
            rank = ranked(crossed.uplift, crossed.fold, places(made.users, made.name))
            held["crossed Qini above 0"].append(qini(made, rank).interval[0] > 0)
            p_value = difference_p_value(made, crossed.score, crossed.uplift, crossed.fold)
            held["crossed p < 5%"].append(p_value < 0.05)
            held["refused as predictable"].append(_refused(made))
        said = ", ".join(f"{name} {np.mean(values):.1%}" for name, values in held.items())
        print(f"{kind}: {draws} draws of {users:,} users: {said}", flush=True)


def _refused(made: Trial) -> bool:
    try:
        check_balance(made)
    except UpliftError:
        return True
    return False


def recovery(draws: int, worlds: tuple[str, ...]) -> None:
    """How much of the oracle's true Qini each learner's ranking has, and its rank correlation."""
    for kind in worlds:
        for users in SIZES:
            seeds = draws if users < SIZES[-1] else -(-draws // 3)
            rows: dict[str, list[tuple[float, float]]] = {}
            scored, chosen = 0, []
            for seed in range(seeds):
                made, truth = world(users, seed, kind)
                place = places(made.users, made.name)
                for candidate in CANDIDATES:
                    fit = cross_fit(made, place, candidate)
                    rows.setdefault(name_of(candidate), []).append(_worth(fit.uplift, truth))
                found = findings(made)
                rows.setdefault("as chosen", []).append(_worth(found.scorers.uplift, truth))
                scored, chosen = scored + found.scored, [*chosen, found.scorers.learner]
            means = {name: np.mean(values, axis=0) for name, values in rows.items()}
            said = ", ".join(f"{n} {worth:.0%} ({rho:.2f})" for n, (worth, rho) in means.items())
            print(
                f"{kind}, {users:,} users, {seeds} draws: {said}; scored {scored / seeds:.0%}; "
                f"chosen {max(set(chosen), key=chosen.count)}",
                flush=True,
            )


def _worth(uplift: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Share of the oracle's Qini coefficient (a random ranking has 0), and rank correlation."""

    def area(ranking: np.ndarray) -> float:
        gains = np.cumsum(truth[np.argsort(-ranking, kind="stable")]) / len(truth)
        return float(gains.mean() - gains[-1] / 2)

    return area(uplift) / area(truth), float(spearmanr(uplift, truth).statistic)


def open_bandit() -> None:
    """Items whose first feature is above 0 against the others, in the log of the random policy."""
    data = real_data("open_bandit_women")
    rows = pl.read_csv(data / "random.csv.gz")
    items = pl.read_csv(data / "item_context.csv").sort("item_id")["item_feature_0"].to_numpy() > 0
    treated = items[rows["item_id"].to_numpy()]
    share = np.where(items, 1.0, 0.0).mean()  # the policy draws each item alike
    assert np.allclose(rows["propensity_score"].to_numpy(), 1 / len(items))
    kinds = [f"user_feature_{number}" for number in range(4)] + ["position"]
    known = rows.select(kinds).with_columns(pl.col("position").cast(pl.String)).to_dummies()
    made = Trial(
        "campaign:open_bandit",
        "others",
        "items above 0",
        "a click",
        names(len(rows)),
        treated,
        rows["click"].to_numpy().astype(float),
        np.where(treated, share, 1 - share),
        known.to_numpy().astype(np.float32),
        tuple(known.columns),
        len(rows),
    )
    found = judge(made)
    clicks = [int(made.outcome[treated == arm].sum()) for arm in (False, True)]
    print(f"{len(rows):,} impressions, {share:.0%} of items treated, clicks {clicks}")
    for name, effect in (("difference", found.plain), ("adjusted", found.adjusted)):
        print(f"{name}: {effect.value:+.4f}, 95% {effect.interval()[0]:+.4f} to {effect.interval()[1]:+.4f}")
    print(f"scored: {found.scored}; {found.reason}; p {found.difference_p_value:.2f}; {found.scorers.learner}")


def cost(users: int) -> None:
    """A trial of so many users with as many features as `user_features` has, then a night of as
    many users scored."""
    made, _ = world(users, 1, features=55)
    began = time.process_time()
    found = judge(made)
    judged = time.process_time()
    for at in range(0, users, 50_000):
        some = made.rows(np.arange(at, min(at + 50_000, users)))
        found.scorers.score_users(places(some.users, made.name), some.features)
    scored = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{users:,} users, 55 features: judged {judged - began:.0f} CPU s, night scored "
        f"{scored - judged:.0f} CPU s by {found.scorers.learner}, peak {peak:.1f} GiB of which "
        f"features {made.features.nbytes / 2**30:.1f}; {found.reason}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("coverage", "recovery", "open_bandit", "cost"))
    parser.add_argument("number", type=int, nargs="?", help="of draws, or of users")
    parser.add_argument("worlds", nargs="*", default=WORLDS)
    given = parser.parse_args()
    if given.what == "coverage":
        coverage(given.number or 200, given.worlds)
    elif given.what == "recovery":
        recovery(given.number or 6, given.worlds)
    elif given.what == "open_bandit":
        open_bandit()
    else:
        cost(given.number or 1_000_000)


if __name__ == "__main__":
    main()
