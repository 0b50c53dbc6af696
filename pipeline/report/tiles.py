"""The big numbers at the top of the page, each with its change and its last nights."""

from dataclasses import dataclass

from pipeline.report.night import Night
from pipeline.report.words import UNCHANGED, Change, percent, share, thousands


@dataclass(frozen=True)
class Tile:
    """A number as text, its change in words, and its past, oldest first."""

    label: str
    value: str
    trend: str  # up, down, same, none
    change: str
    series: list[float]
    note: str

    @property
    def direction(self) -> str:
        """As the change reads: what rounds to nothing went nowhere."""
        return "same" if self.change == UNCHANGED else self.trend


def tiles(night: Night) -> list[Tile]:
    """Landed rows, quarantine, sessions, users scored, users on the move, cold starts."""
    return [*_rows(night), *_users(night)]


def _rows(night: Night) -> list[Tile]:
    now, then = night.funnel, night.funnel_before
    nights = night.intake.nights
    lost = [share(it.quarantined, it.landed) or 0.0 for it in nights]
    landed = Change(now.landed if now else None, then.landed if then else None)
    quarantined = Change(
        share(now.quarantined, now.landed) if now else None,
        share(then.quarantined, then.landed) if then else None,
    )
    sessions = night.intake.sessions
    earlier = max((day for day in sessions if day < night.ds), default="")
    closed = Change(sessions.get(night.ds), sessions.get(earlier))
    past = [float(sessions[day]) for day in sorted(sessions)]
    return [
        _counted("Rows landed", landed, [float(it.landed) for it in nights], "in all files"),
        Tile(
            "In quarantine",
            percent(quarantined.now),
            quarantined.direction,
            quarantined.in_points,
            lost,
            "of landed rows",
        ),
        _counted("Sessions", closed, past, "closed on this day"),
    ]


def _users(night: Night) -> list[Tile]:
    audience, drift = night.audience, night.drift
    coverage = audience.coverage
    before = audience.scored_by_night.get(audience.before or "")
    scored = Change(coverage.scored, before)
    past = [float(users) for users in audience.scored_by_night.values()]
    cold = Change(coverage.cold_share, audience.cold_before)
    moved = drift.moving_by_night
    count = drift.moving if drift.users and drift.moving_told else None
    moving = Change(count, moved.get(drift.before or ""))
    return [
        _counted("Users scored", scored, past[-28:], "active within the window"),
        Tile(
            "On the move",
            drift.moving_text,
            moving.direction,
            moving.relative,
            [float(users) for users in moved.values()],
            "users whose interests drift" if count is None else f"{percent(share(count, drift.users))} of users drift",
        ),
        Tile("Cold starts", percent(cold.now), cold.direction, cold.in_points, [], "of scored users"),
    ]


def _counted(label: str, change: Change, series: list[float], note: str) -> Tile:
    return Tile(label, thousands(change.now), change.direction, change.relative, series, note)
