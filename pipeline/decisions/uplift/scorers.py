"""The models that score users: for each fold one that was fitted on all the other folds."""

from dataclasses import dataclass

import numpy as np

from pipeline.decisions.uplift.base_models import BASES, Predict
from pipeline.decisions.uplift.candidates import Candidate, name_of
from pipeline.decisions.uplift.learners import doubly_robust, fit_effect, fit_outcomes
from pipeline.decisions.uplift.trial import FOLDS, Trial, fold_of, half_of


@dataclass(frozen=True)
class Scorers:
    """Per fold a model; per user of the trial what the user's fold's model says, and a score."""

    learner: str
    models: tuple[Predict, ...]
    fold: np.ndarray
    uplift: np.ndarray
    score: np.ndarray

    def score_users(self, place: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Uplift of any users, each by the model of the fold of their hash."""
        found = np.zeros(len(place))
        for number, model in enumerate(self.models):
            mine = fold_of(place) == number
            found[mine] = model(features[mine])
        return found


def cross_fit(trial: Trial, place: np.ndarray, candidate: Candidate) -> Scorers:
    """Fits the candidate for every fold, on the users of the others."""
    fold, half = fold_of(place), half_of(place)
    score, models = np.zeros(len(trial)), []
    learner, base = candidate
    for number in range(FOLDS):
        others, mine = trial.rows(fold != number), fold == number
        models.append(fit_effect(learner, others, half[fold != number], BASES[base]))
        control, treated = fit_outcomes(others, BASES[base])
        judged = trial.rows(mine)
        score[mine] = doubly_robust(judged, control(judged.features), treated(judged.features))
    scorers = Scorers(name_of(candidate), tuple(models), fold, np.zeros(0), score)
    uplift = scorers.score_users(place, trial.features)
    return Scorers(scorers.learner, scorers.models, fold, uplift, score)
