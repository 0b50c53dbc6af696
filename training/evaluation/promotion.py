"""Whether a challenger becomes champion: only if it is not worse when judged on the same window."""

import math
import re
from dataclasses import dataclass
from difflib import get_close_matches

from training.evaluation.report import Interval, Report

FINE_ECE = 0.03  # a calibration error of at most this does not count against a challenger
# A loss that is certainly smaller than this is none: at a million users the least of them is certain.
MARGINS = {"ndcg_10": 0.001, "log_loss": 0.001, "ece": 0.005}
OF_FIGURE = 0.005  # nor is the margin a larger share than this of the champion's figure: of a rare act it would be all


@dataclass(frozen=True)
class Decision:
    """The outcome, with a reason for each check."""

    promoted: bool
    reasons: list[str]


@dataclass(frozen=True)
class Limit:
    """What a measure of the audit must keep: at most or at least `bound`."""

    measure: str
    at_most: bool
    bound: float

    def __str__(self) -> str:
        return f"{self.measure} {'<=' if self.at_most else '>='} {self.bound:g}"


def limits_of(text: str) -> list[Limit]:
    """From the setting `TIDEMARK_FAIRNESS_LIMITS`, whose form is checked when it is read."""
    found = re.findall(r"([^\s,<>=]+)\s*(<=|>=)\s*([\d.]+)", text)
    return [Limit(measure, sign == "<=", float(bound)) for measure, sign, bound in found]


def may_be_champion(
    report: Report, trained_ds: str, champion_ds: str | None, limits: list[Limit] | None = None
) -> Decision:
    """Within every limit of fairness, and not worse than the champion.

    A limit is broken when the measure's whole 95% interval lies beyond it (the figure, where there is no interval), and
    when there is no such measure: what was not measured is not known to be fair. It holds for a first champion too.
    """
    judged = [_kept(report, limit) for limit in limits or []]
    broken = [reason for keeps, reason in judged if not keeps]
    if broken:
        return Decision(False, broken)
    decision = _not_worse(report, trained_ds, champion_ds)
    return Decision(decision.promoted, [*decision.reasons, *(reason for _, reason in judged)])


def _kept(report: Report, limit: Limit) -> tuple[bool, str]:
    measures = report.fairness.measures if report.fairness else {}
    middle, low, high = measures.get(limit.measure, (math.nan,) * 3)
    if math.isnan(middle):
        listed = ", ".join(get_close_matches(limit.measure, measures, 3, 0)) or "none"
        return False, f"fairness limit {limit}: expected a measure of that name, found none (nearest: {listed})"
    nearest = middle if math.isnan(low) else low if limit.at_most else high
    keeps = nearest <= limit.bound if limit.at_most else nearest >= limit.bound
    interval = "" if math.isnan(low) else f" [{low:.4f}, {high:.4f}]"
    return keeps, f"fairness limit {limit}: {'kept' if keeps else 'broken'}, {middle:.4f}{interval}"


def _not_worse(report: Report, trained_ds: str, champion_ds: str | None) -> Decision:
    """Not worse means that no gated metric has a 95% interval of the gain entirely below zero, unless all of it is
    within the metric's margin.

    Gated metrics are NDCG@10 of both lists, and log-loss and calibration error of each head. A challenger of an earlier
    day than the champion's (a backfill) is never promoted.
    """
    if report.champion is None or champion_ds is None:
        return Decision(True, ["there was no champion"])
    if trained_ds < champion_ds:
        reason = f"trained for {trained_ds}, earlier than champion {report.champion} ({champion_ds})"
        return Decision(False, [reason])
    if report.champion_fails:
        return Decision(True, [f"champion {report.champion} cannot run: {report.champion_fails}"])
    words = {metric: _word(report, metric, gain) for metric, gain in report.gains.items()}
    reasons = [f"{metric}: {words[metric]}, {_told(report.gains[metric])}" for metric in words]
    return Decision("worse" not in words.values(), reasons)


def _word(report: Report, metric: str, gain: Interval) -> str:
    _, low, high = gain
    if math.isnan(high):
        return "not comparable"
    if low > 0:
        return "better"
    if high >= 0:
        return "not worse"
    if low >= -(margin := _margin(report, metric, gain[0])):
        return f"within the margin of {margin:.2g}"
    if metric.endswith("/ece") and report.propensities[metric][0] <= FINE_ECE:
        return f"within {FINE_ECE}"
    return "worse"


def _margin(report: Report, metric: str, gain: float) -> float:
    """What the metric may lose; nothing where the champion's figure is not known."""
    what, _, kind = metric.rpartition("/")
    if kind == "ece":
        return MARGINS[kind]
    ours = report.rankings.get(f"{what}/published/{kind}") if kind == "ndcg_10" else report.propensities.get(metric)
    if ours is None:
        return 0.0
    champions = ours[0] - gain if kind == "ndcg_10" else ours[0] + gain
    return min(MARGINS[kind], OF_FIGURE * champions)


def _told(gain: Interval) -> str:
    middle, low, high = gain
    return f"gain {middle:+.4f} [{low:+.4f}, {high:+.4f}]"
