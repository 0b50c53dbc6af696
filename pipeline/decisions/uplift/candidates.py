"""The candidates, what each of them says of users it did not see, and how wrong that is.

The criterion is the doubly robust risk, mean of (score - effect)^2: up to a constant it is the squared error of the
effects (Kennedy 2023; Mahajan, Mitliagkas, Neal and Syrgkanis 2024).
"""

from dataclasses import dataclass

import numpy as np

from pipeline.decisions.uplift.base_models import BASES
from pipeline.decisions.uplift.learners import LEARNERS, Fitted, doubly_robust, fit_learners
from pipeline.decisions.uplift.trial import Trial

CANDIDATES = tuple((learner, base) for base in BASES for learner in LEARNERS)
Candidate = tuple[str, str]


@dataclass(frozen=True)
class Learned:
    """What was fitted on some users, by base model."""

    fitted: dict[str, Fitted]

    def effects(self, judged: Trial, candidate: Candidate) -> np.ndarray:
        learner, base = candidate
        return self.fitted[base].effects[learner](judged.features)

    def scores(self, judged: Trial) -> np.ndarray:
        """Doubly robust; outcomes are predicted by the mean of the base models."""
        models = self.fitted.values()
        control = np.mean([it.control(judged.features) for it in models], axis=0)
        treated = np.mean([it.treated(judged.features) for it in models], axis=0)
        return doubly_robust(judged, control, treated)


def learn(trial: Trial, half: np.ndarray) -> Learned:
    """All candidates, fitted on all users of `trial`."""
    return Learned({name: fit_learners(trial, half, base) for name, base in BASES.items()})


def name_of(candidate: Candidate) -> str:
    """As tables and pages call it."""
    return "_".join(candidate)
