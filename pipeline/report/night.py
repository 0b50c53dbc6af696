"""All figures of one night, gathered from its published partitions."""

from dataclasses import dataclass, field

from pipeline.report.audience import Audience, audience
from pipeline.report.decided import Decided, decided
from pipeline.report.drift import Drift, drift
from pipeline.report.intake import Funnel, Intake, intake
from pipeline.report.migration import Migration, migration
from pipeline.report.partitions import open_partitions
from pipeline.report.quality import Quality, quality
from pipeline.report.scores import Spread, spreads
from pipeline.report.timing import Timeline, timeline
from pipeline.report.topics import Trends, Turn, topic_names, topics_alive, trends, turns
from pipeline.runtime.settings import Settings
from pipeline.storage.lineage import Lineage
from pipeline.storage.log_length import trains_from
from pipeline.tables.features import NO_MODEL


@dataclass(frozen=True)
class Night:
    """What the page of one night shows. Without what is not published, its parts are empty."""

    ds: str
    intake: Intake
    topics: int
    migration: Migration
    drift: Drift
    trends: Trends
    turns: list[Turn]
    spreads: list[Spread]
    audience: Audience
    decided: Decided
    quality: Quality
    timeline: Timeline
    trained_from: str = ""  # the first day that a model can be trained for, where none scored the night
    stale: list[str] = field(default_factory=list)  # partitions up to the day that are not what they would be now

    @property
    def funnel(self) -> Funnel | None:
        return self.intake.night(self.ds)

    @property
    def funnel_before(self) -> Funnel | None:
        return self.intake.night(self.intake.before)

    @property
    def versions(self) -> list[str]:
        """The versions of the model that scored the night."""
        return self.audience.coverage.versions


def night_of(settings: Settings, ds: str) -> Night:
    """The figures of `ds`, from what is published now and nothing later than `ds`."""
    judged = quality(settings, ds)
    with open_partitions(settings) as partitions:
        names, users = topic_names(partitions, ds), audience(partitions, ds)
        return Night(
            ds=ds,
            intake=intake(partitions, ds),
            topics=topics_alive(partitions, ds),
            migration=migration(partitions, ds, names),
            drift=drift(partitions, ds, names),
            trends=trends(partitions, ds, names),
            turns=turns(partitions, ds, names),
            spreads=spreads(partitions, ds),
            audience=users,
            decided=decided(settings, partitions, ds),
            quality=judged,
            timeline=timeline(settings, partitions, ds, judged.trained),
            trained_from=trains_from(settings, ds) if users.coverage.versions == [NO_MODEL] else "",
            stale=[str(it) for it in Lineage(settings).stale if it.ds <= ds and not it.follows],
        )
