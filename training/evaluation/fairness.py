"""Whom a model serves well, and which items it shows: figures by group of users and of items.

Groups of users partition the users, so that their figures are independent; a gap is that between the best and the worst
served group. Groups smaller than the floor are pooled as `other` and never told apart.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from pipeline.runtime.floor import veiled
from training.data.answers import Answers
from training.data.users import HEADS
from training.evaluation.intervals import DRAWS, UNKNOWN, Interval, interval, intervals, of_metric, paired
from training.evaluation.judging import K, quality
from training.evaluation.metrics import auc, calibration_error
from training.evaluation.report import Audit, Group

OTHER = "other"
MOST_GROUPS = 12  # the largest are told, the rest is pooled
LONGEST_NAME = 60
METRICS = ("ndcg_10", "recall_10")
TAIL = 0.8  # share of the items, those with the fewest engagements up to the cut-off
QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
METRIC_DRAWS = 200  # of metrics that are not a mean over users
COMPARED = (*METRICS, *(f"{head}/{metric}" for head in HEADS for metric in ("auc", "bias")))


@dataclass(frozen=True)
class Served:
    """What a model gave its test users, and what they did. `rows` are the ranked users among all of them."""

    rows: np.ndarray  # [ranked]
    places: np.ndarray  # [ranked, >= 10] positions of items, -1 = none
    answers: Answers  # of the ranked users
    labels: np.ndarray  # [users, HEADS], NaN where unknown
    chances: np.ndarray  # [users, HEADS]
    known: np.ndarray  # [items] whether the item was known at the cut-off
    popularity: np.ndarray  # [items] engagements up to the cut-off, or their share


def audit(served: Served, users: Mapping[str, np.ndarray], items: Mapping[str, np.ndarray], floor: int) -> Audit:
    """`users`: attribute -> [users] names of groups. `items`: attribute -> [items] names of groups."""
    groups = [group for by, names in users.items() for group in user_groups(served, by, names, floor)]
    measures = gaps(groups)
    groups += [group for by, names in items.items() for group in item_groups(served, by, names, floor)]
    if len(served.rows) >= floor:
        measures |= popularity_bias(served)
    return Audit(groups, measures)


def pooled(names: np.ndarray, counts: Sequence[Mapping[str, int]], floor: int) -> np.ndarray:
    """The names with OTHER for groups that must not be told apart by any of the counts, are too many or too long."""
    hidden = {name for sizes in counts for name in veiled(sizes, floor)}
    largest = sorted(counts[0], key=lambda name: (-counts[0][name], name))
    hidden |= {name for n, name in enumerate(largest) if n >= MOST_GROUPS or len(name) > LONGEST_NAME}
    return np.array([OTHER if name in hidden else name for name in names.tolist()], dtype=object)


def user_groups(served: Served, by: str, names: np.ndarray, floor: int) -> list[Group]:
    """Quality of the list and of each head, and the distribution of each head's chances, by group."""
    counts = [Counter(names.tolist()), Counter(names[served.rows].tolist())]
    labels = pooled(names, counts, floor)
    per_user = quality(served.places, served.answers)
    values = {metric: per_user[metric] for metric in METRICS} | {"tail_exposure": _share_shown(served, tail_of(served))}
    found = []
    for name in sorted(set(labels.tolist())):
        everyone, ranked = labels == name, labels[served.rows] == name
        # Too few even when pooled: then nothing of them is told.
        if everyone.sum() < floor or 0 < ranked.sum() < floor:
            continue
        figures = {metric: _mean(x[ranked], floor) for metric, x in values.items()}
        figures |= _heads(served.labels[everyone], served.chances[everyone], floor)
        found.append(Group("users", by, name, int(ranked.sum()), figures))
    return found


def item_groups(served: Served, by: str, names: np.ndarray, floor: int) -> list[Group]:
    """Share of what is shown, share of what users turned to, their ratio, and quality, by group of known items."""
    sizes = {str(name): _askers(served, (names == name) & served.known) for name in set(names[served.known].tolist())}
    labels, found = pooled(names, [sizes], floor), []
    for name in sorted(set(labels[served.known].tolist())):
        chosen = (labels == name) & served.known
        users = _askers(served, chosen)
        if users < floor:
            continue
        answers = served.answers.among(chosen)
        figures = exposure(served, chosen)
        per_user = quality(served.places, answers)
        figures |= intervals({metric: per_user[metric] for metric in METRICS})
        found.append(Group("items", by, name, users, figures))
    return found


def exposure(served: Served, chosen: np.ndarray) -> dict[str, Interval]:
    """The chosen items' share of the first ten places and of what users turned to (known items only), and the ratio.

    `chosen` is [items] bool. A ratio below one: shown less than asked for.
    """
    shown, asked = _shown(served), _asked(served)
    counts = np.stack(
        [_per_user(it, served, chosen) for it in (shown, asked)] + [_per_user(it, served) for it in (shown, asked)],
        axis=1,
    )

    def share(side: int) -> Interval:
        return paired(lambda _, x: _ratio(x[:, side].sum(), x[:, side + 2].sum()), counts, counts, METRIC_DRAWS)

    def ratio(_: np.ndarray, x: np.ndarray) -> float:
        part_shown, part_asked, all_shown, all_asked = x.sum(axis=0)
        return _ratio(part_shown * all_asked, part_asked * all_shown)

    return {
        "exposure": share(0),
        "demand": share(1),
        "exposure_ratio": paired(ratio, counts, counts, METRIC_DRAWS),
    }


def popularity_bias(served: Served) -> dict[str, Interval]:
    """The tail's share of exposure and of demand, their ratio, and the Gini coefficients of both over known items.

    The coefficients have no interval: draws of users always cover fewer items, so that one would mislead.
    """
    tail, nothing, items = exposure(served, tail_of(served)), float("nan"), len(served.known)
    found = {f"popularity/tail_{name}": x for name, x in tail.items()}
    for name, (_, item) in {"exposure": _shown(served), "demand": _asked(served)}.items():
        counts = np.bincount(item, minlength=items)[served.known]
        found[f"popularity/gini_{name}"] = (gini(counts), nothing, nothing)
    return found


def gini(counts: np.ndarray) -> float:
    """0: every item has the same; near 1: one item has all. NaN where there is nothing to share."""
    total, items = counts.sum(), len(counts)
    if not total:
        return float("nan")
    ranks = np.arange(1, items + 1)
    return float(2 * (ranks @ np.sort(counts)) / (items * total) - (items + 1) / items)


def tail_of(served: Served) -> np.ndarray:
    """[items] the TAIL of the known items with the fewest engagements."""
    tail = np.zeros(len(served.known), dtype=bool)
    ordered = by_popularity(served)
    tail[ordered[len(ordered) - int(TAIL * len(ordered)) :]] = True
    return tail


def by_popularity(served: Served) -> np.ndarray:
    """Positions of the known items, the most engaged first; position breaks ties."""
    known = np.flatnonzero(served.known)
    return known[np.argsort(-served.popularity[known], kind="stable")]


def gaps(groups: list[Group]) -> dict[str, Interval]:
    """`gap/BY/METRIC` and `ratio/BY/METRIC` of the best and the worst served group; OTHER is no group here."""
    found = {}
    for by in dict.fromkeys(group.by for group in groups):
        named = [group for group in groups if group.by == by and group.name != OTHER]
        for metric in COMPARED:
            values = [group.figures[metric] for group in named]
            known = [value for value in values if not any(math.isnan(x) for x in value)]
            if len(known) < 2:
                continue
            found[f"gap/{by}/{metric}"] = gap(known)
            if not metric.endswith("/bias"):
                found[f"ratio/{by}/{metric}"] = ratio_of_extremes(known)
    return found


def gap(figures: list[Interval]) -> Interval:
    """Largest minus smallest figure of independent groups, with a 95% interval that allows for the choice of the pair.

    The two are chosen because they are far apart, so the interval is that of all pairs at once (Bonferroni): equal
    groups give one with zero in it 95% of the time, however many there are. It is not cut off at zero.
    """
    best, worst = max(figures), min(figures)
    width = _quantile(len(figures)) * math.hypot(_error(best), _error(worst))
    difference = best[0] - worst[0]
    return difference, difference - width, difference + width


def ratio_of_extremes(figures: list[Interval]) -> Interval:
    """Smallest over largest figure, with an interval like that of `gap` (delta method); NaN where all are zero."""
    best, worst = max(figures), min(figures)
    if best[0] <= 0:
        return UNKNOWN
    ratio = worst[0] / best[0]
    width = _quantile(len(figures)) * math.hypot(_error(worst), ratio * _error(best)) / best[0]
    return ratio, ratio - width, ratio + width


def _quantile(groups: int) -> float:
    pairs = groups * (groups - 1) / 2
    return NormalDist().inv_cdf(1 - 0.05 / (2 * pairs))


def _error(figure: Interval) -> float:
    """Standard error, from a 95% interval."""
    return (figure[2] - figure[1]) / (2 * NormalDist().inv_cdf(0.975))


def _heads(labels: np.ndarray, chances: np.ndarray, floor: int) -> dict[str, Interval]:
    """AUC, calibration error, mean chance minus rate (bias) and quantiles of the chances, per head."""
    found, nothing = {}, float("nan")
    for column, head in enumerate(HEADS):
        known = ~np.isnan(labels[:, column])
        label, chance = labels[known, column], chances[known, column]
        enough = len(label) >= floor
        found[f"{head}/auc"] = of_metric(auc, label, chance, METRIC_DRAWS) if enough else UNKNOWN
        found[f"{head}/ece"] = of_metric(calibration_error, label, chance, METRIC_DRAWS) if enough else UNKNOWN
        found[f"{head}/bias"] = _mean(chance - label, floor)
        for name, share in QUANTILES.items():
            found[f"{head}/{name}"] = (float(np.quantile(chances[:, column], share)), nothing, nothing)
    return found


def _mean(values: np.ndarray, floor: int) -> Interval:
    enough = (~np.isnan(values)).sum() >= floor
    return interval(values, DRAWS) if enough else UNKNOWN


def _shown(served: Served) -> tuple[np.ndarray, np.ndarray]:
    """Ranked user and item of each of the first ten places."""
    user, place = np.nonzero(served.places[:, :K] >= 0)
    return user, served.places[user, place]


def _asked(served: Served) -> tuple[np.ndarray, np.ndarray]:
    """Ranked user and item of each known item that a user turned to."""
    user, item = np.divmod(served.answers.codes, served.answers.items)
    kept = served.known[item]
    return user[kept], item[kept]


def _per_user(pairs: tuple[np.ndarray, np.ndarray], served: Served, chosen: np.ndarray | None = None) -> np.ndarray:
    """[ranked] how many of a user's items are among the chosen."""
    user, item = pairs
    return np.bincount(user if chosen is None else user[chosen[item]], minlength=len(served.rows))


def _share_shown(served: Served, chosen: np.ndarray) -> np.ndarray:
    shown = _shown(served)
    with np.errstate(invalid="ignore"):
        return _per_user(shown, served, chosen) / _per_user(shown, served)


def _askers(served: Served, chosen: np.ndarray) -> int:
    return int((_per_user(_asked(served), served, chosen) > 0).sum())


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
