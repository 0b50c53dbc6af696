"""The trial of an experiment: who entered, in which arm, with what features and outcome."""

import numpy as np
import polars as pl

from pipeline.decisions.experiments.experiment import Experiment, Metric
from pipeline.decisions.experiments.outcomes import read_outcomes
from pipeline.decisions.experiments.statistics import RATIO_ALARM, ratio_p_value
from pipeline.decisions.uplift.inputs import COLUMNS, known_before, nights_before
from pipeline.decisions.uplift.trial import Trial, drawn
from pipeline.runtime.days import days_between, shift
from pipeline.runtime.errors import ExperimentError, UpliftError
from pipeline.runtime.settings import Settings

KEPT_DAYS = 180  # what an experiment found that long ago may not hold any more


def trial_name(experiment: Experiment) -> str:
    return f"experiment:{experiment.name}"


def experiment_trial(experiment: Experiment, settings: Settings, ds: str) -> Trial:
    """Everybody whose days are over, once everybody's are: judged once, nobody peeks.

    Raises UpliftError with the reason where there is nothing to learn from.
    """
    name, over = trial_name(experiment), shift(experiment.last_day, experiment.window_days - 1)
    if ds < over:
        raise UpliftError(f"{name}: expected the days of all users to be over, they end on {over}")
    if days_between(over, ds) > KEPT_DAYS:
        raise UpliftError(
            f"{name}: ended on {over}, more than {KEPT_DAYS} days ago; what people did then may "
            "not hold any more: run another experiment"
        )
    try:
        entered = read_outcomes(experiment, settings, over)
    except ExperimentError as error:
        raise UpliftError(f"{name}: {error}") from None
    _refuse_ratio(name, experiment, entered)
    return _trial(name, experiment, _with_a_night(name, entered, settings), settings)


def _refuse_ratio(name: str, experiment: Experiment, entered: pl.DataFrame) -> None:
    counts = tuple(int((entered["arm"] == number).sum()) for number in (0, 1))
    p_value = ratio_p_value(counts, tuple(share for _, share in experiment.arms))
    if not sum(counts):
        raise UpliftError(f"{name}: expected users who entered, found none")
    if p_value < RATIO_ALARM:
        raise UpliftError(
            f"{name}: expected users split as declared, found {counts[0]:,} and {counts[1]:,} "
            f"(p = {p_value:.2g}, below {RATIO_ALARM:g}); something assigns or loses users "
            "unevenly"
        )


def _with_a_night(name: str, entered: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Users before whose entry a night was published: that does not depend on the arm."""
    has = nights_before(entered["entry"].cast(pl.String).to_numpy(), settings)
    if not has.any():
        raise UpliftError(
            f"{name}: features are known only after entry: no user_features of the week before "
            f"{entered['entry'].cast(pl.String).min()!s} are published"
        )
    known = entered.filter(pl.Series(has))
    return known.filter(pl.Series(drawn(known["user_id"].to_numpy(), name)))


def _trial(name: str, experiment: Experiment, users: pl.DataFrame, settings: Settings) -> Trial:
    (control, share), (treatment, other) = experiment.arms
    treated = users["arm"].to_numpy() == 1
    chance = np.where(treated, other, share) / (share + other)
    who, metric = users["user_id"].to_numpy(), experiment.primary
    days = users["entry"].cast(pl.String).to_numpy()
    return Trial(
        name,
        control,
        treatment,
        measure(metric),
        who,
        treated,
        _outcome(users, metric),
        chance,
        known_before(who, days, settings),
        COLUMNS,
        len(users),
    )


def measure(metric: Metric) -> str:
    """What the effect is on, in words: more is better."""
    return metric.name if metric.better == "higher" else f"fewer {metric.name}"


def _outcome(users: pl.DataFrame, metric: Metric) -> np.ndarray:
    found = users[metric.name].to_numpy().astype(float)
    return found if metric.better == "higher" else -found
