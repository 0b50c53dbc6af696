"""What stands out in a night, in a few sentences: the first thing a reader looks at."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from pipeline.report.intake import Intake
from pipeline.report.night import Night
from pipeline.report.shift import SHIFTED
from pipeline.report.words import Change, percent, share, thousands
from pipeline.runtime.floor import people

SURGE = 0.5  # a change of landed rows by more than half is worth a look
MUCH_QUARANTINE, MORE_THAN_USUAL = 0.05, 1.5


@dataclass(frozen=True)
class Finding:
    """A sentence, and whether it is fine, worth a look, or wrong."""

    state: str  # fine, watch, wrong
    text: str


def findings(night: Night) -> list[Finding]:
    """At most one sentence for each part of the page, what is wrong first."""
    found = [*_intake(night), *_stale(night), *_coverage(night), *_drift(night), *_scores(night), *_model(night)]
    return sorted(found, key=lambda it: ("wrong", "watch", "fine").index(it.state))


def _intake(night: Night) -> Iterator[Finding]:
    now, then = night.funnel, night.funnel_before
    if now is None:
        yield Finding("watch", "Nothing is published of what landed on this night.")
        return
    if not all(funnel.adds_up for funnel in night.intake.platforms):
        yield Finding("wrong", "Landed rows are not all accounted for.")
    elif not now.landed:
        yield Finding("watch", "No row landed.")
    else:
        yield Finding("fine", f"Each of the {thousands(now.landed)} landed rows is accounted for.")
    if then and then.landed and abs(now.landed / then.landed - 1) > SURGE:
        change = Change(now.landed, then.landed).relative
        yield Finding("watch", f"Landed rows changed by {change} against the night before.")
    yield from _unusual(night.intake)
    lost = share(now.quarantined, now.landed) or 0.0
    usual = _usual_quarantine(night)
    if lost > max(MUCH_QUARANTINE, MORE_THAN_USUAL * usual):
        beside = f"; usual is {percent(usual)}" if usual else ""
        yield Finding("watch", f"{percent(lost)} of the landed rows are in quarantine{beside}.")


def _unusual(intake: Intake) -> Iterator[Finding]:
    for it in intake.volumes:
        yield Finding("watch", f"{it.platform} landed {thousands(it.rows)} rows; usual are {it.usual}.")
    for taken in intake.accepted:
        yield Finding("watch", f"Let pass: {taken}.")
    for platform, last in intake.unseen.items():
        yield Finding("watch", f"The night went on without {platform}, last seen on {last}.")
    for folder in intake.unread:
        yield Finding("watch", f"No source reads landing/{folder}.")


def _stale(night: Night) -> Iterator[Finding]:
    if night.stale:
        more = f" (and {len(night.stale) - 1} more)" if len(night.stale) > 1 else ""
        yield Finding("watch", f"Not made from what is there now: {night.stale[0]}{more}; a repair makes it again.")


def _usual_quarantine(night: Night) -> float:
    """The median share of the nights before, those on which something landed."""
    earlier = [it for it in night.intake.nights if it.name < night.ds and it.landed]
    return median(it.quarantined / it.landed for it in earlier) if earlier else 0.0


def _coverage(night: Night) -> Iterator[Finding]:
    coverage = night.audience.coverage
    if coverage.scored is None:
        yield Finding("watch", "No user has been scored.")
    elif coverage.scored == coverage.known:
        yield Finding("fine", f"All {people(coverage.scored)} known users have a row of features.")
    elif coverage.known is not None:
        state = "wrong" if coverage.scored < coverage.known else "watch"
        yield Finding(state, f"{thousands(coverage.scored)} users scored, {thousands(coverage.known)} known.")


def _drift(night: Night) -> Iterator[Finding]:
    if not night.drift.users:
        return
    drift = night.drift
    part = f" ({percent(share(drift.moving, drift.users))})" if drift.moving_told else ""
    text = f"{drift.moving_text} users{part} are on the move"
    if night.drift.pairs:
        first = night.drift.pairs[0]
        text += f", the commonest way being from “{first.origin}” to “{first.target}”"
    yield Finding("fine", text + ".")


def _scores(night: Night) -> Iterator[Finding]:
    measured = [spread for spread in night.spreads if spread.psi is not None]
    shifted = [it for it in measured if it.verdict == "shifted"]
    watched = [it for it in measured if it.verdict == "watch"]
    if shifted:
        named = ", ".join(f"{it.column} ({it.psi:.2f})" for it in shifted)
        yield Finding("watch", f"Scores shifted since last night (PSI above {SHIFTED}): {named}.")
    elif watched:
        named = ", ".join(f"{it.column} ({it.psi:.2f})" for it in watched)
        yield Finding("watch", f"Scores worth watching (PSI from 0.1): {named}.")
    elif measured:
        yield Finding("fine", f"All {len(measured)} scores are spread as last night.")


def _model(night: Night) -> Iterator[Finding]:
    if not night.quality.lists:
        return
    curve = night.quality.lists[0]
    last = next((it for it in reversed(curve.points) if it.version in night.versions), None)
    if last is None or last.baseline is None:
        return
    gain = last.value - last.baseline
    state = "fine" if last.low >= last.baseline else "watch"
    side = "above" if gain >= 0 else "below"
    yield Finding(
        state,
        f"Version {last.version} scored: NDCG@10 {last.value:.3f}, {abs(gain):.3f} {side} the best baseline.",
    )
