"""Whether a challenger becomes champion: only if it is not worse when judged on the same window."""

import math
from dataclasses import dataclass

from training.evaluation.report import Interval, Report

FINE_ECE = 0.03  # a calibration error of at most this does not count against a challenger


@dataclass(frozen=True)
class Decision:
    """The outcome, with a reason for each check."""

    promoted: bool
    reasons: list[str]


def may_be_champion(report: Report, trained_ds: str, champion_ds: str | None) -> Decision:
    """Not worse means that no gated metric has a 95% interval of the gain entirely below zero.

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
    if metric.endswith("/ece") and report.propensities[metric][0] <= FINE_ECE:
        return f"within {FINE_ECE}"
    return "worse"


def _told(gain: Interval) -> str:
    middle, low, high = gain
    return f"gain {middle:+.4f} [{low:+.4f}, {high:+.4f}]"
