"""Effects of a treatment on users, by features: the T-, the X- and the DR-learner.

Künzel, Sekhon, Bickel and Yu 2019 (T, X); Kennedy 2023 (DR). Rows carry weights under which the two arms are alike in
size (`Trial.weight`), so propensities enter nowhere else.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.decisions.uplift.base_models import Fit, Predict
from pipeline.decisions.uplift.trial import Trial

LEARNERS = ("dr", "x", "t")


@dataclass(frozen=True)
class Fitted:
    """Predictions of the outcome without and with treatment, and of the effect per learner."""

    control: Predict
    treated: Predict
    effects: dict[str, Predict]


def fit_learners(trial: Trial, half: np.ndarray, base: Fit) -> Fitted:
    """All three. `half` splits the users in two; the DR-learner learns of each from the other."""
    control, treated = fit_outcomes(trial, base)
    effects = {
        "dr": _dr_learner(trial, half, base),
        "x": _x_learner(trial, control, treated, base),
        "t": _t_learner(control, treated),
    }
    return Fitted(control, treated, effects)


def fit_effect(learner: str, trial: Trial, half: np.ndarray, base: Fit) -> Predict:
    """One of them."""
    if learner == "dr":
        return _dr_learner(trial, half, base)
    control, treated = fit_outcomes(trial, base)
    return _t_learner(control, treated) if learner == "t" else _x_learner(trial, control, treated, base)


def fit_outcomes(trial: Trial, base: Fit) -> tuple[Predict, Predict]:
    """The outcome of users, without and with treatment."""
    arms = [trial.rows(trial.treated == arm) for arm in (False, True)]
    control, treated = (base(arm.features, arm.outcome, arm.weight) for arm in arms)
    return control, treated


def doubly_robust(trial: Trial, control: np.ndarray, treated: np.ndarray) -> np.ndarray:
    """[users] scores whose weighted mean, of any users, is the effect on these users.

    `control`, `treated`: predictions of models that did not see the user (Robins, Rotnitzky and Zhao 1994). They may be
    wrong: what makes the scores right is the randomisation.
    """
    missed = trial.outcome - np.where(trial.treated, treated, control)
    return treated - control + np.where(trial.treated, 2.0, -2.0) * missed


def _t_learner(control: Predict, treated: Predict) -> Predict:
    return lambda rows: treated(rows) - control(rows)


def _x_learner(trial: Trial, control: Predict, treated: Predict, base: Fit) -> Predict:
    """Each arm's outcomes less what the other arm's model says, mixed by the arms' sizes."""
    with_it, without = trial.rows(trial.treated), trial.rows(~trial.treated)
    gained = with_it.outcome - control(with_it.features)
    missed = treated(without.features) - without.outcome
    of_treated = base(with_it.features, gained, with_it.weight)
    of_control = base(without.features, missed, without.weight)
    share = float(trial.treated.mean())
    return lambda rows: share * of_control(rows) + (1 - share) * of_treated(rows)


def _dr_learner(trial: Trial, half: np.ndarray, base: Fit) -> Predict:
    """A regression of doubly robust scores."""
    scores = np.zeros(len(trial))
    for side in (False, True):
        control, treated = fit_outcomes(trial.rows(half != side), base)
        judged = trial.rows(half == side)
        known = control(judged.features), treated(judged.features)
        scores[half == side] = doubly_robust(judged, *known)
    return base(trial.features, scores, trial.weight)
