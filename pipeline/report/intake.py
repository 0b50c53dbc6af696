"""What landed: the funnel and its identity per platform, quarantine by reason, sessions, and what is unusual."""

from dataclasses import dataclass, field

from pipeline.report.partitions import Partitions
from pipeline.runtime.days import day_range, shift
from pipeline.sources.landing import unread_folders
from pipeline.storage.audit.acceptances import Acceptance, accepted_on
from pipeline.storage.audit.volume import PAST_DAYS, Usual, usual

NIGHTS_SHOWN = 28
SUMS = "sum(rows_landed)::BIGINT, sum(events)::BIGINT, sum(duplicates)::BIGINT, sum(quarantined)::BIGINT"  # fmt: skip


@dataclass(frozen=True)
class Funnel:
    """Rows of one platform, or of one night: `landed` = the sum of the others."""

    name: str
    landed: int
    events: int
    duplicates: int
    quarantined: int

    @property
    def adds_up(self) -> bool:
        return self.landed == self.events + self.duplicates + self.quarantined


@dataclass(frozen=True)
class Reason:
    """Rows quarantined for one reason, this night and the one before (None: there is none)."""

    name: str
    rows: int
    before: int | None


@dataclass(frozen=True)
class Volume:
    """Rows of a platform that are not usual. `far`: they held the day until somebody accepted it."""

    platform: str
    rows: int
    usual: Usual
    far: bool


@dataclass(frozen=True)
class Intake:
    """The funnel of each platform, the nights up to this one, and the reasons of quarantine.

    `unseen`: platforms of the weeks before that the night went on without, each with the last day that was seen.
    `unread`: folders of landing/ that no source reads, when the page was drawn.
    """

    platforms: list[Funnel]
    nights: list[Funnel]  # oldest first; only published ones
    reasons: list[Reason]
    before: str | None
    sessions: dict[str, int]  # by night
    volumes: list[Volume] = field(default_factory=list)
    accepted: list[Acceptance] = field(default_factory=list)
    unseen: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    def night(self, ds: str | None) -> Funnel | None:
        return next((night for night in self.nights if night.name == ds), None)


def intake(partitions: Partitions, ds: str) -> Intake:
    """Everything about the rows that landed on `ds` and in the weeks before."""
    window = day_range(shift(ds, 1 - NIGHTS_SHOWN), ds)
    before = partitions.before("accounting", ds)
    known = partitions.days("accounting")
    shown = sorted(day for day in known if day in window or day == before)
    return Intake(
        platforms=_funnels(partitions, "platform", [ds]),
        nights=_funnels(partitions, "ds", shown),
        reasons=_reasons(partitions, ds, before),
        before=before,
        sessions={
            day: publication.rows for day, publication in partitions.days("sessions").items() if window[0] <= day <= ds
        },
        volumes=_volumes(partitions, ds),
        accepted=accepted_on(partitions.settings, ds),
        unseen=_unseen(partitions, ds, [day for day in shown if day < ds]),
        unread=unread_folders(partitions.settings),
    )


def _volumes(partitions: Partitions, ds: str) -> list[Volume]:
    """The platforms whose rows of the night are not what is usual for them."""
    known = [day for day in partitions.days("accounting") if shift(ds, -PAST_DAYS) <= day <= ds]
    if ds not in known:
        return []
    past: dict[str, list[tuple[str, int]]] = {}
    query = "SELECT platform, ds, rows_landed FROM {days} ORDER BY platform, ds"
    for platform, day, rows in partitions.range_rows(query, "accounting", known):
        past.setdefault(platform, []).append((day, rows))
    found = []
    for platform, days in past.items():
        rows, expected = dict(days).get(ds), usual(days, ds)
        verdict = expected.judge(rows) if expected and rows is not None else "fine"
        if expected and rows and verdict != "fine":  # without rows the day was closed, or empty by order
            found.append(Volume(platform, rows, expected, verdict == "far"))
    return found


def _unseen(partitions: Partitions, ds: str, earlier: list[str]) -> dict[str, str]:
    """Platforms of the nights before without a row in the accounting of this one, with their last day."""
    if ds not in partitions.days("accounting"):
        return {}
    query = "SELECT platform, max(ds) FROM {days} GROUP BY 1 ORDER BY 1"
    before = dict(partitions.range_rows(query, "accounting", earlier))
    now = dict(partitions.range_rows(query, "accounting", [ds]))
    return {platform: day for platform, day in before.items() if platform not in now}


def _funnels(partitions: Partitions, by: str, days: list[str]) -> list[Funnel]:
    known = [day for day in days if day in partitions.days("accounting")]
    query = f"SELECT {by}, {SUMS} FROM {{days}} GROUP BY {by} ORDER BY {by}"
    found = {row[0]: Funnel(*row) for row in partitions.range_rows(query, "accounting", known)}
    if by == "ds":  # a published night without rows has no accounting row
        return [found.get(day, Funnel(day, 0, 0, 0, 0)) for day in known]
    return sorted(found.values(), key=lambda funnel: (-funnel.landed, funnel.name))


def _reasons(partitions: Partitions, ds: str, before: str | None) -> list[Reason]:
    query = "SELECT r.reason, sum(r.rows)::BIGINT FROM (SELECT unnest(quarantine_reasons) AS r FROM {night}) GROUP BY 1"
    now = dict(partitions.rows(query, night=("accounting", ds)))
    then = dict(partitions.rows(query, night=("accounting", before)))
    names = sorted({*now, *then}, key=lambda name: (-now.get(name, 0), name))
    return [Reason(it, now.get(it, 0), then.get(it, 0) if before else None) for it in names]
