"""Evaluation of a trained model on the test fold, and its comparison with the champion."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow.dataset as arrow_dataset

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from pipeline.tables.registry import TRAINING_EXAMPLES
from training.data.catalogue import NO_PINS, Catalogue, Pins, load_catalogue, open_table
from training.data.users import HEADS, Examples, load_examples
from training.evaluation.answering import answering
from training.evaluation.baselines.classifiers import Chances, baseline_chances, windowed_rows
from training.evaluation.baselines.known import LISTS, Known
from training.evaluation.baselines.roster import fit_baselines
from training.evaluation.intervals import Interval, gain_of_metric, interval, intervals, of_metric
from training.evaluation.judging import Judged, judge
from training.evaluation.metrics import auc, average_precision, calibration_error
from training.model.model import TrainedModel
from training.propensity.stack import log_loss

METRIC_DRAWS = 200  # of metrics that are not a mean over users
GATED = "ndcg_10"


@dataclass(frozen=True)
class HeldOutWindow:
    """The test fold of a day: what models are judged on. `rows` holds all folds."""

    ds: str
    examples: Examples
    catalogue: Catalogue
    rows: arrow_dataset.Dataset


@dataclass(frozen=True)
class Evaluation:
    """A model's results on a window: ranked lists per user, probabilities per user and head."""

    judged: Judged
    labels: np.ndarray  # [users, HEADS], NaN where unknown
    chances: np.ndarray  # [users, HEADS]
    known: Known  # what the rankers were fitted on
    baselines: Chances = field(default_factory=dict)  # of the propensities

    def rankings(self) -> dict[str, Interval]:
        """Each list/ranker/metric with its 95% interval over users; coverage has none."""
        found: dict[str, Interval] = {}
        for name in LISTS:
            for ranker in self.judged.rankings[name]:
                path = f"{name}/{ranker}"
                figures = self.judged.figures(name, ranker)
                found |= intervals({f"{path}/{metric}": x for metric, x in figures.items()})
                covered = self.judged.coverage(name, ranker)
                # A bootstrap sample of users always covers less than all users do, so an interval would mislead.
                found[f"{path}/coverage_10"] = (covered, float("nan"), float("nan"))
        return found

    def propensities(self) -> dict[str, Interval]:
        """Each head/metric of the published chances."""
        return head_figures(self.labels, self.chances)

    def propensity_baselines(self) -> dict[str, Interval]:
        """Each head/classifier/metric."""
        return {
            path.replace("/", f"/{name}/"): figures
            for name, chances in self.baselines.items()
            for path, figures in head_figures(self.labels, chances).items()
        }


def load_window(settings: Settings, ds: str, pins: Pins = NO_PINS) -> HeldOutWindow:
    """Reads the newest snapshots where none are pinned. Raises ModelError when the fold is empty."""
    catalogue, _ = load_catalogue(settings, ds, pins=pins)
    _, rows = open_table(settings, TRAINING_EXAMPLES, ds, pins)
    examples = load_examples(rows, catalogue, ("test",))
    if not len(examples):
        raise ModelError(
            f"training_examples ds={ds}: expected rows of the fold test, found none; "
            "the log is too short for this day, take a later day"
        )
    return HeldOutWindow(ds, examples, catalogue, rows)


def evaluate_model(
    trained: TrainedModel, window: HeldOutWindow, users: int | None = None, baselines: bool = True
) -> Evaluation:
    """The published lists and propensities, and the baselines, on one window.

    `users` caps the ranked users; the model's preset says how many by default.
    """
    examples, catalogue = window.examples, window.catalogue
    known = Known.of(examples, len(catalogue))
    answer = answering(trained, examples, catalogue, known)
    limit = users or int(str(trained.card.preset["judged_users"]))
    if not baselines:
        judged = judge(answer.rankers, examples, catalogue, limit)
        return Evaluation(judged, examples.labels, answer.chances, known)
    rankers = [*answer.rankers, *fit_baselines(known).items()]
    judged = judge(rankers, examples, catalogue, limit)
    simple = baseline_chances(*windowed_rows(window.rows), examples.features)
    return Evaluation(judged, examples.labels, answer.chances, known, simple)


def compare(challenger: Evaluation, champion: Evaluation) -> dict[str, Interval]:
    """Gain of the challenger on each gated metric, paired by user; above zero is better.

    NDCG@10 of both lists; log-loss and calibration error of each head.
    """
    gains = {}
    for name in LISTS:
        new, old = (e.judged.figures(name, "published")[GATED] for e in (challenger, champion))
        gains[f"{name}/{GATED}"] = interval(new - old)
    for column, head in enumerate(HEADS):
        known = ~np.isnan(challenger.labels[:, column])
        labels = challenger.labels[known, column]
        new, old = (e.chances[known, column] for e in (challenger, champion))
        gains[f"{head}/log_loss"] = interval(log_loss(labels, old) - log_loss(labels, new))
        gains[f"{head}/ece"] = gain_of_metric(calibration_error, labels, old, new, METRIC_DRAWS)
    return gains


def head_figures(labels: np.ndarray, chances: np.ndarray) -> dict[str, Interval]:
    """Log-loss, AUC, PR-AUC, calibration error and base rate of each head, with intervals."""
    found = {}
    for column, head in enumerate(HEADS):
        known = ~np.isnan(labels[:, column])
        label, chance = labels[known, column], chances[known, column]
        found[f"{head}/log_loss"] = interval(log_loss(label, chance))
        found[f"{head}/auc"] = of_metric(auc, label, chance, METRIC_DRAWS)
        found[f"{head}/pr_auc"] = of_metric(average_precision, label, chance, METRIC_DRAWS)
        found[f"{head}/ece"] = of_metric(calibration_error, label, chance, METRIC_DRAWS)
        found[f"{head}/rate"] = interval(label)
    return found
