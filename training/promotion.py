"""Whether a challenger becomes champion: only when it is not worse, judged on the same window."""

from dataclasses import dataclass

from training.report import Report


@dataclass(frozen=True)
class Decision:
    """The outcome, with a reason for each thing that was looked at."""

    promoted: bool
    reasons: list[str]


def decide(report: Report, trained_ds: str, champion_ds: str | None) -> Decision:
    """Not worse: no gated metric whose whole 95% interval of the gain lies below zero.

    A challenger of an earlier day than the champion's (a backfill) is never promoted.
    """
    if report.champion is None or champion_ds is None:
        return Decision(True, ["there was no champion"])
    if trained_ds < champion_ds:
        reason = (
            f"trained for {trained_ds}, earlier than champion {report.champion} ({champion_ds})"
        )
        return Decision(False, [reason])
    if report.champion_fails:
        return Decision(True, [f"champion {report.champion} cannot run: {report.champion_fails}"])
    reasons = []
    for metric, (mean, low, high) in report.gains.items():
        verdict = "worse" if high < 0 else "better" if low > 0 else "not worse"
        reasons.append(f"{metric}: {verdict}, gain {mean:+.4f} [{low:+.4f}, {high:+.4f}]")
    return Decision(all(high >= 0 for _, _, high in report.gains.values()), reasons)
