"""Judges policies on a log of another: estimates with intervals, or a refusal that says why.

verdict = evaluate(log, policy) verdict = compare(log, challenger, champion)
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from statistics import NormalDist

import numpy as np

from pipeline.decisions.ope.blocks import draw_blocks, percentiles, ratio, spread
from pipeline.decisions.ope.estimators import ESTIMATORS, sums_of, switch_threshold
from pipeline.decisions.ope.log import Log
from pipeline.decisions.ope.reward_model import RewardModel, fit_means
from pipeline.decisions.ope.tally import ROWS, THRESHOLDS, WEIGHT, Evaluated, Tally, tally
from pipeline.runtime.near_ties import DOUBLE, best

CHUNK_ROWS = 500_000
LEVEL = 0.95
DRAWS = 1_000
LEAST_EFFECTIVE_ROWS = 100.0
LEAST_CLUSTERS = 30  # with fewer, errors by cluster are too small (Cameron and Miller 2015, section VI)
LEAST_SUPPORT = 1 - 1e-9
ROUNDING = 1e-3  # of the mean weight: propensities are logged with few digits
MOST_ERRORS_OFF = 4.0  # standard errors by which the mean weight may differ from 1


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and 95% intervals: normal, and bootstrap over blocks."""

    value: float
    error: float
    normal: tuple[float, float]
    bootstrap: tuple[float, float]


@dataclass(frozen=True)
class Diagnostics:
    """How far the log speaks for the policy. Clipping levels: share of rows, share of weight."""

    rows: int
    effective_rows: float
    largest_weight: float
    mean_weight: float
    mean_weight_error: float
    clipped_rows: float
    clipped_weight: float
    switch_threshold: float
    above: dict[float, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """`refusal` is empty if the log is sufficient; else it says why not."""

    estimates: dict[str, Estimate]
    diagnostics: Diagnostics
    refusal: str = ""


def in_chunks(log: Log, rows: int = CHUNK_ROWS) -> list[Log]:
    """A log as parts that are worked on one at a time."""
    return [log.rows(slice(at, at + rows)) for at in range(0, max(len(log), 1), rows)]


def evaluate(
    log: Log | Iterable[Log],
    policy: Evaluated,
    model: RewardModel | None = None,
    clip: float | None = None,
    seed: int = 0,
) -> Verdict:
    """Value of a policy by every estimator.

    `log` may be anything that can be gone through twice in chunks. Raises FeedbackError for bad rows; a log that is
    sound but too small gives a verdict with a refusal.
    """
    chunks = in_chunks(log) if isinstance(log, Log) else log
    model = model or _means(chunks, policy)
    found = tally(chunks, policy, model, clip)
    draws = draw_blocks(len(found.sums), DRAWS, seed)
    estimates = _estimates([found], draws)
    return Verdict(estimates, diagnose(found), refusal_of(found))


def compare(
    log: Log | Iterable[Log],
    challenger: Evaluated,
    champion: Evaluated,
    model: RewardModel | None = None,
    clip: float | None = None,
    seed: int = 0,
) -> Verdict:
    """Gain of a challenger over a champion by every estimator, paired by row.

    The diagnostics are the challenger's; either policy may be what the log cannot judge.
    """
    chunks = in_chunks(log) if isinstance(log, Log) else log
    model = model or _means(chunks, challenger)
    new, old = (tally(chunks, policy, model, clip) for policy in (challenger, champion))
    draws = draw_blocks(len(new.sums), DRAWS, seed)
    gains = _estimates([new, old], draws)
    refusals = [(who, refusal_of(of)) for who, of in (("challenger", new), ("champion", old))]
    return Verdict(gains, diagnose(new), "; ".join(f"{who}: {it}" for who, it in refusals if it))


def refusal_of(found: Tally) -> str:
    """Why the log cannot judge the policy; empty when it can."""
    assert found.shown is not None and found.wanted is not None
    lacking = np.where(found.shown == 0, found.wanted, 0) / found.rows
    if lacking.sum() > 1 - LEAST_SUPPORT:
        arm = best(lacking, DOUBLE)
        return (
            f"support is missing: arm {found.arms[arm]!r} has {lacking[arm]:.2%} of the policy and "
            f"was never shown in {found.rows:,} impressions; explore it first"
        )
    if found.unsupported > 1 - LEAST_SUPPORT:
        return (
            f"support is missing: {found.unsupported:.2%} of the policy lies where the logging "
            "policy has probability 0; explore there first"
        )
    if found.is_clustered and len(found.sums) < LEAST_CLUSTERS:
        return (
            f"the {found.rows:,} impressions are of {len(found.sums)} clusters (user_id): with fewer than "
            f"{LEAST_CLUSTERS} no interval holds what it says; collect more users"
        )
    if found.lowest_reward == found.highest_reward:
        return (
            f"all {found.rows:,} rewards are {found.lowest_reward:g}: they say nothing of how much rewards vary, so "
            "no interval can be given; collect more"
        )
    facts = diagnose(found)
    if not facts.effective_rows >= LEAST_EFFECTIVE_ROWS:  # also when it is no number
        return (
            f"the effective sample is too small: {facts.effective_rows:.1f} of {facts.rows:,} "
            f"impressions, at least {LEAST_EFFECTIVE_ROWS:.0f} are needed; collect more"
        )
    off = abs(facts.mean_weight - 1)
    if not off <= max(MOST_ERRORS_OFF * facts.mean_weight_error, ROUNDING):
        return (
            f"weights average {facts.mean_weight:.3f} (standard error "
            f"{facts.mean_weight_error:.3f}) where 1 is expected: support is missing or the "
            "propensities are not those of the policy that logged"
        )
    return ""


def diagnose(found: Tally) -> Diagnostics:
    """Effective sample size (Kish 1965), largest weight, and what clipping would take away."""
    assert found.rows_above is not None and found.weight_above is not None
    rows = found.rows
    mean, parts = ratio(found.sums[:, WEIGHT], found.sums[:, ROWS])
    whole = found.sums[:, WEIGHT].sum() + found.clipped_weight  # the sums are of clipped weights
    above = {
        threshold: (float(found.rows_above[at] / rows), float(found.weight_above[at] / whole))
        for at, threshold in enumerate(THRESHOLDS)
        if found.rows_above[at]
    }
    return Diagnostics(
        rows=rows,
        effective_rows=float(whole**2 / found.squared_weights) if whole else 0.0,
        largest_weight=found.largest_weight,
        mean_weight=mean + found.clipped_weight / rows,
        mean_weight_error=spread(parts),
        clipped_rows=found.clipped_rows / rows,
        clipped_weight=float(found.clipped_weight / whole) if whole else 0.0,
        switch_threshold=switch_threshold(found),
        above=above,
    )


def _means(chunks: Iterable[Log], policy: Evaluated) -> RewardModel:
    assert not callable(policy), "strata of chunks have no means: give a reward model"
    return fit_means(chunks, len(policy))


def _estimates(tallies: list[Tally], draws: np.ndarray) -> dict[str, Estimate]:
    """By every estimator: a value, or of two tallies the gain of the first over the second."""
    found = {name: _estimate([sums_of(name, of) for of in tallies], draws) for name in ESTIMATORS}
    return found | {"direct": _with_model_error(found["direct"], found["doubly_robust"])}


def _with_model_error(direct: Estimate, robust: Estimate) -> Estimate:
    """The direct method's value with the error of its model, which the modelled values cannot know.

    What the logged rewards correct the model by (doubly robust - direct) estimates its error: squared, and added to the
    variance of the doubly robust estimate, it gives the mean squared error. So the interval holds the truth where the
    doubly robust one does, however wrong the model is, and is never narrower.
    """
    z, bias = NormalDist().inv_cdf((1 + LEVEL) / 2), robust.value - direct.value
    error = float(np.hypot(robust.error, bias))
    below, above = (
        float(np.hypot(reach, z * bias))
        for reach in (robust.value - robust.bootstrap[0], robust.bootstrap[1] - robust.value)
    )
    normal = (direct.value - z * error, direct.value + z * error)
    return Estimate(direct.value, error, normal, (direct.value - below, direct.value + above))


def _estimate(sums: list[tuple[np.ndarray, np.ndarray]], draws: np.ndarray) -> Estimate:
    """Of one pair of sums; of two, their difference."""
    (value, parts), *others = [ratio(top, bottom) for top, bottom in sums]
    with np.errstate(invalid="ignore", divide="ignore"):  # a draw without any weight
        drawn, *rest = [(draws @ top) / (draws @ bottom) for top, bottom in sums]
    for (other, its_parts), its_draws in zip(others, rest, strict=True):
        value, parts, drawn = value - other, parts - its_parts, drawn - its_draws
    error = spread(parts)
    reach = NormalDist().inv_cdf((1 + LEVEL) / 2) * error
    bootstrap = percentiles(drawn, LEVEL) if len(parts) > 1 else (-inf, inf)  # one block drawn again says nothing
    return Estimate(value, error, (value - reach, value + reach), bootstrap)
