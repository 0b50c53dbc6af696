"""Which baseline wins where, and whether the published answer beats it."""

import numpy as np

from training.data.users import HEADS, Examples
from training.evaluation.baselines.classifiers import Chances
from training.evaluation.challenger import METRIC_DRAWS, Evaluation
from training.evaluation.intervals import Interval, gain_of_metric, interval
from training.evaluation.metrics import auc
from training.evaluation.report import Verdict
from training.evaluation.slices import ALL, METRICS, SliceFigures, judge_slice, slices_of
from training.propensity.stack import log_loss

OURS = ("published", "transformer", "transformer_ids")  # parts of the model are not baselines


def list_verdicts(evaluation: Evaluation, examples: Examples) -> tuple[list[Verdict], dict[str, Interval]]:
    """The best baseline of each list and slice, and every ranker's list/slice/ranker/metric.

    The best is picked on the window that is judged, which flatters the baselines, not the model.
    """
    judged, known = evaluation.judged, evaluation.known
    found: list[Verdict] = []
    figures: dict[str, Interval] = {}
    for name in judged.rankings:
        for part, chosen in slices_of(judged, examples, known).items():
            one = judge_slice(judged, name, chosen)
            if one.users:
                means = one.intervals()
                found += [_best(name, part, metric, one, means) for metric in METRICS]
                figures |= {f"{name}/{part}/{path}": x for path, x in means.items()}
    return found, figures


def head_verdicts(evaluation: Evaluation) -> list[Verdict]:
    """The best classifier of each head by log-loss and by AUC."""
    found = []
    for column, head in enumerate(HEADS):
        known = ~np.isnan(evaluation.labels[:, column])
        labels = evaluation.labels[known, column]
        chances = {"published": evaluation.chances, **evaluation.baselines}
        mine = {name: x[known, column] for name, x in chances.items()}
        if len(np.unique(labels)) == 2:
            found += [_best_loss(head, labels, mine), _best_area(head, labels, mine)]
    return found


def best_rankers(verdicts: list[Verdict], metric: str = "ndcg_10") -> dict[str, list[str]]:
    """The published ranker and the best baseline of each list."""
    return {v.question: ["published", v.best] for v in verdicts if v.slice == ALL and v.metric == metric}


def _best(name: str, part: str, metric: str, one: SliceFigures, means: dict[str, Interval]) -> Verdict:
    rivals = [ranker for ranker in one.figures if ranker not in OURS]
    best = max(rivals, key=lambda ranker: means[f"{ranker}/{metric}"][0])
    return Verdict(
        name,
        part,
        metric,
        one.users,
        best,
        means[f"{best}/{metric}"],
        means[f"published/{metric}"],
        one.gain("published", best, metric),
    )


def _best_loss(head: str, labels: np.ndarray, chances: Chances) -> Verdict:
    losses = {name: log_loss(labels, x) for name, x in chances.items()}
    best = min((n for n in losses if n not in OURS), key=lambda n: losses[n].mean())
    gain = interval(losses[best] - losses["published"])
    return Verdict(
        head,
        ALL,
        "log_loss",
        len(labels),
        best,
        interval(losses[best]),
        interval(losses["published"]),
        gain,
    )


def _best_area(head: str, labels: np.ndarray, chances: Chances) -> Verdict:
    areas = {name: auc(labels, x) for name, x in chances.items()}
    best = max((n for n in areas if n not in OURS), key=lambda n: areas[n])
    gain = gain_of_metric(auc, labels, chances["published"], chances[best], METRIC_DRAWS)
    nothing = float("nan")
    return Verdict(
        head,
        ALL,
        "auc",
        len(labels),
        best,
        (areas[best], nothing, nothing),
        (areas["published"], nothing, nothing),
        gain,
    )
