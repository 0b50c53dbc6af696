"""Whether a trial is sound: propensities, sizes, and arms that features cannot distinguish.

Every check raises UpliftError with what was expected and found.
"""

from dataclasses import replace

import numpy as np

from pipeline.decisions.experiments.statistics import RATIO_ALARM
from pipeline.decisions.uplift.base_models import BASES, Fit
from pipeline.decisions.uplift.effects import NORMAL, difference_in_means
from pipeline.decisions.uplift.trial import FOLDS, Trial, fold_of, places
from pipeline.runtime.errors import UpliftError
from pipeline.runtime.floor import people

LEAST_USERS = 200  # of each arm, the effective sample size of the weights
LEAST_OUTCOMES = 10  # users of each arm whose outcome is not 0
MOST_ERRORS_OFF = 4.0  # of mean weights


def check(trial: Trial) -> None:
    """All checks, the cheap ones first."""
    check_propensities(trial)
    check_sizes(trial)
    check_weights(trial)
    check_balance(trial)


def check_propensities(trial: Trial) -> None:
    """Strictly between 0 and 1: only then could every user have been given either arm."""
    sound = (trial.propensity > 0) & (trial.propensity < 1)  # false for what is missing
    if not sound.all():
        raise UpliftError(
            f"{trial.name}: expected propensities between 0 and 1, both excluded, found "
            f"{trial.propensity[~sound][0]} and the like of {(~sound).sum():,} users; where an arm "
            "was certain, nothing tells what the other one would have done"
        )


def check_sizes(trial: Trial) -> None:
    """Enough users and outcomes for the intervals to mean what they say."""
    for arm, name in ((trial.treated, trial.treatment), (~trial.treated, trial.control)):
        weight = trial.weight[arm]
        users = weight.sum() ** 2 / (weight**2).sum() if len(weight) else 0.0
        outcomes = int((trial.outcome[arm] != 0).sum())
        if users < LEAST_USERS or outcomes < LEAST_OUTCOMES:
            raise UpliftError(
                f"{trial.name}: expected at least {LEAST_USERS} users of arm {name}, "
                f"{LEAST_OUTCOMES} of them with {trial.measure}, found {people(int(arm.sum()))} users "
                f"(worth {people(int(users))} by their weights) and {people(outcomes)} outcomes; collect more"
            )


def check_weights(trial: Trial) -> None:
    """The inverse propensities of an arm sum to all users, within chance."""
    for arm, name in ((trial.treated, trial.treatment), (~trial.treated, trial.control)):
        weight = 1 / trial.propensity[arm]
        mean = weight.sum() / trial.population
        error = np.sqrt(((weight**2).sum() / trial.population - mean**2) / trial.population)
        if abs(mean - 1) > MOST_ERRORS_OFF * error:
            raise UpliftError(
                f"{trial.name}: expected 1/propensity of arm {name} to average 1 over "
                f"{trial.population:,} users, found {mean:.3f} (standard error {error:.3f}); "
                "these are not the propensities that users were drawn with"
            )


def check_balance(trial: Trial) -> None:
    """Features must not predict the arm: p-value below RATIO_ALARM and the trial is refused.

    A model of the arm, fitted under the weights on the folds before, is asked about each fold; its mean over the
    treated is compared with that over the control, one-sided, and the p-value multiplied by the number of base models
    that try.
    """
    fold = fold_of(places(trial.users, trial.name))
    found = {name: _foretold(trial, fold, base) * len(BASES) for name, base in BASES.items()}
    name, p_value = min(found.items(), key=lambda it: it[1])
    if p_value < RATIO_ALARM:
        raise UpliftError(
            f"{trial.name}: expected arms that features do not foretell, found that {name} does "
            f"(p = {p_value:.2g}, below {RATIO_ALARM:g}); something assigns or loses users by what "
            "they are like, or a feature knows what came after entry"
        )


def _foretold(trial: Trial, fold: np.ndarray, base: Fit) -> float:
    guess = np.zeros(len(trial))
    for number in range(1, FOLDS):
        before, mine = trial.rows(fold < number), fold == number
        model = base(before.features, before.treated.astype(float), before.weight)
        guess[mine] = model(trial.features[mine])
        guess[mine] -= np.average(guess[mine], weights=trial.weight[mine])
    found = difference_in_means(replace(trial, outcome=guess).rows(fold > 0))
    return NORMAL.cdf(-found.value / found.error) if found.error > 0 else 1.0
