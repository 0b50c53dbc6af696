"""What landed: the funnel and its identity per platform, quarantine by reason, sessions."""

from dataclasses import dataclass

from pipeline.report.partitions import Partitions
from pipeline.runtime.days import day_range, shift

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
class Intake:
    """The funnel of each platform, the nights up to this one, and the reasons of quarantine."""

    platforms: list[Funnel]
    nights: list[Funnel]  # oldest first; only published ones
    reasons: list[Reason]
    before: str | None
    sessions: dict[str, int]  # by night

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
    )


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
