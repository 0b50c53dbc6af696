"""How scores made at the cut-off age: they are judged on each day and week of the 28 days after it."""

from dataclasses import dataclass

import numpy as np

from pipeline.tables.registry import EVENT_TYPES
from training.data.users import HEADS, Examples
from training.evaluation.intervals import Interval, interval, of_metric
from training.evaluation.judging import Judged, quality
from training.evaluation.metrics import auc
from training.propensity.stack import log_loss

WEEKS = ((1, 7), (8, 14), (15, 21), (22, 28))  # days after the cut-off
DAYS = 28
METRICS = ("recall_10", "ndcg_10")
KINDS = {
    "click_7d": "view",
    "cart_7d": "cart",
    "purchase_7d": "purchase",
    "return_7d": "return",
    "churn_7d": None,
}
DRAWS = 400


@dataclass(frozen=True)
class Staleness:
    """Figures per week, and the mean NDCG@10 per day, of lists and propensities made at one moment."""

    weeks: dict[str, list[Interval]]  # list/ranker/metric, and head/metric
    days: dict[str, list[float]]  # list/ranker; NaN on a day without answers


def staleness(judged: Judged, examples: Examples, chances: np.ndarray, rankers: dict[str, list[str]]) -> Staleness:
    """`rankers` names those to follow in each list. A user counts in the weeks in which it has an answer."""
    weeks: dict[str, list[Interval]] = {}
    days: dict[str, list[float]] = {}
    for name, followed in rankers.items():
        for ranker in followed:
            places, answers = judged.rankings[name][ranker].places, judged.answers[name]
            found = [quality(places, answers.within(*week)) for week in WEEKS]
            for metric in METRICS:
                path = f"{name}/{ranker}/{metric}"
                weeks[path] = [interval(figures[metric], DRAWS) for figures in found]
            each = [quality(places, answers.within(d, d))["ndcg_10"] for d in range(1, DAYS + 1)]
            days[f"{name}/{ranker}"] = [mean_of_known(values) for values in each]
    return Staleness(weeks | head_weeks(examples, chances), days)


def head_weeks(examples: Examples, chances: np.ndarray) -> dict[str, list[Interval]]:
    """AUC and log-loss of the 7-day heads, judged on each week."""
    found: dict[str, list[Interval]] = {}
    for head, kind in KINDS.items():
        if head not in HEADS:
            continue
        chance = chances[:, HEADS.index(head)]
        happened = [weekly_labels(examples, kind, *week) for week in WEEKS]
        found[f"{head}/log_loss"] = [interval(log_loss(x, chance), DRAWS) for x in happened]
        found[f"{head}/auc"] = [of_metric(auc, x, chance, 100) for x in happened]
    return found


def weekly_labels(examples: Examples, kind: str | None, first: int, last: int) -> np.ndarray:
    """[rows] 1 where an event of the kind landed in these days; kind None: 1 where no event landed."""
    future = examples.future
    day = future.arrival - examples.as_of[future.rows]
    kept = (day >= first) & (day <= last)
    if kind is not None:
        kept &= future.kind == EVENT_TYPES.index(kind)
    some = np.bincount(future.rows[kept], minlength=len(examples)) > 0
    return (~some if kind is None else some).astype(np.float32)


def mean_of_known(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
