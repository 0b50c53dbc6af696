"""Evaluation of a trained model on the test fold, and its comparison with the champion's."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.errors import ModelError
from pipeline.settings import Settings
from pipeline.tables import TRAINING_EXAMPLES
from training.building import head_logits
from training.catalogue import Catalogue
from training.examples import HEADS, Examples, load_examples
from training.job import open_day
from training.judging import Judgement, judge
from training.metrics import auc, calibration_error, interval, log_loss
from training.prediction import Predictor
from training.rankers.engagements import engagements
from training.trained import TrainedModel
from training.training_data import load_catalogue

SEED = 11
Interval = tuple[float, float, float]  # mean, low, high
GATED = ("ndcg_10 of next_items", "log-loss of the propensities")


@dataclass(frozen=True)
class Evaluation:
    """How a model did on a window: rankings per user, probabilities per user and head."""

    judgement: Judgement
    labels: np.ndarray  # [users, HEADS], NaN where unknown
    chances: np.ndarray  # [users, HEADS]

    @property
    def losses(self) -> np.ndarray:
        """[users] mean log-loss over the heads."""
        losses = np.where(np.isnan(self.labels), np.nan, log_loss(self.labels, self.chances))
        return np.nanmean(losses, axis=1)

    def rankings(self) -> dict[str, Interval]:
        """Each ranking metric with its 95% interval over users."""
        return {name: interval(x, SEED, 400) for name, x in self.judgement.metrics.items()}

    def propensities(self) -> dict[str, Interval]:
        """AUC, log-loss and calibration error of each head, with 95% intervals over users."""
        found = {}
        for column, head in enumerate(HEADS):
            known = ~np.isnan(self.labels[:, column])
            labels, chances = self.labels[known, column], self.chances[known, column]
            found[f"{head}/log_loss"] = interval(log_loss(labels, chances), SEED, 400)
            found[f"{head}/auc"] = _resampled(auc, labels, chances)
            found[f"{head}/ece"] = _resampled(calibration_error, labels, chances)
            rate = float(labels.mean()) if len(labels) else float("nan")
            found[f"{head}/rate"] = (rate, rate, rate)
        return found


@dataclass(frozen=True)
class Window:
    """The test fold of a day: what models are judged on."""

    ds: str
    examples: Examples
    catalogue: Catalogue


def load_window(settings: Settings, ds: str) -> Window:
    """Raises ModelError when the fold is empty."""
    catalogue, _ = load_catalogue(settings, ds)
    examples = load_examples(open_day(settings, TRAINING_EXAMPLES, ds)[1], catalogue, ("test",))
    if not len(examples):
        raise ModelError(
            f"training_examples ds={ds}: expected rows of the fold test, found none; "
            "the log is too short for this day, take a later one"
        )
    return Window(ds, examples, catalogue)


def evaluate_model(trained: TrainedModel, window: Window, users: int | None = None) -> Evaluation:
    """The published lists, their parts and baselines, and the propensities, on one window.

    `users` caps the ranked users; the model's preset says how many by default.
    """
    examples, catalogue = window.examples, window.catalogue
    as_of = int(examples.as_of.max())
    known = engagements(examples.past, np.arange(len(examples)), as_of, len(catalogue))
    predictor = Predictor.of(trained, catalogue, known)
    calibration = trained.card.calibration
    assert calibration is not None, "a finished model is calibrated"
    chances = calibration.apply(head_logits(predictor, examples))
    ranked = judge(predictor, examples, users or int(str(trained.card.preset["judged_users"])))
    return Evaluation(ranked, examples.labels, chances)


def compare(challenger: Evaluation, champion: Evaluation) -> dict[str, Interval]:
    """Gain of the challenger over the champion on each gated metric, user by user."""
    name = "next_items/published/ndcg_10"
    gains = challenger.judgement.metrics[name] - champion.judgement.metrics[name]
    return dict(
        zip(
            GATED,
            (interval(gains, SEED), interval(champion.losses - challenger.losses, SEED)),
            strict=True,
        )
    )


def _resampled(
    metric: Callable[[np.ndarray, np.ndarray], float], labels: np.ndarray, chances: np.ndarray
) -> Interval:
    """The metric with its 95% bootstrap interval over users; NaN where it is not defined."""
    if not len(labels):
        return float("nan"), float("nan"), float("nan")
    generator = np.random.default_rng(SEED)
    rows = [generator.integers(0, len(labels), len(labels)) for _ in range(100)]
    found = np.array([metric(labels[row], chances[row]) for row in rows])
    if np.isnan(found).all():
        return metric(labels, chances), float("nan"), float("nan")
    low, high = np.nanquantile(found, [0.025, 0.975])
    return metric(labels, chances), float(low), float(high)
