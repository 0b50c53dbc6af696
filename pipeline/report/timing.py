"""When each part of a night worked, from what every run leaves behind, with Airflow or without.

A part of a step begins when its first attempt is staged (`started` of the manifest), its audit
records how long it took (the receipt), and it ends when the last of its tables became visible (the
snapshot). A training is as long as its MLflow run, and serving as long as it records itself.
Starting a process is not counted, nor is waiting for one.
"""

from dataclasses import dataclass

from pipeline.orchestration.steps import NIGHT, SERVE, TRAIN
from pipeline.report.partitions import Partitions
from pipeline.report.quality import Trained
from pipeline.runtime.errors import StagingError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import load_table
from pipeline.storage.publications import Publication, published_by
from pipeline.tables.registry import table_named

NANOSECONDS = 1e9


@dataclass(frozen=True)
class Bar:
    """One part: seconds since the night began, of which the last were its audit."""

    step: str
    tables: tuple[str, ...]
    run: str
    days: int  # that were computed together
    start: float
    end: float
    audit: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True)
class Timeline:
    """The parts in order of their beginning. `earlier` were computed by other runs."""

    began: float | None  # seconds since 1970
    bars: list[Bar]
    earlier: list[Bar]

    @property
    def end(self) -> float:
        return max((bar.end for bar in self.bars), default=0.0)


def timeline(settings: Settings, partitions: Partitions, ds: str, trained: list[Trained]) -> Timeline:
    """The parts whose tables show `ds`, as the newest run computed it."""
    parts = [part for step in NIGHT for part in step.parts]
    found = [bar for part in parts if (bar := _bar(settings, partitions, ds, part.name, part.writes))]
    newest = max(found, key=lambda bar: bar.end, default=None)
    if newest is None:
        return Timeline(None, [], [])
    ours = [bar for bar in found if bar.run == newest.run]
    trainings = [Bar(TRAIN.name, (), it.run, 1, it.started, it.ended, 0.0) for it in trained if it.run == newest.run]
    bars = sorted([*ours, *trainings, *_served(settings, newest.run)], key=lambda bar: (bar.start, bar.step))
    began = bars[0].start
    return Timeline(
        began,
        [_shifted(bar, began) for bar in bars],
        [_shifted(bar, bar.start) for bar in found if bar.run != newest.run],
    )


def _served(settings: Settings, run: str) -> list[Bar]:
    """The loading of the online store: it writes no table."""
    times = staging.times_of(settings, SERVE.name, run)
    return [Bar(SERVE.name, (), run, 1, *times, 0.0)] if times else []


def _shifted(bar: Bar, origin: float) -> Bar:
    return Bar(bar.step, bar.tables, bar.run, bar.days, bar.start - origin, bar.end - origin, bar.audit)


def _bar(settings: Settings, partitions: Partitions, ds: str, step: str, tables: tuple[str, ...]) -> Bar | None:
    """None unless everything that dates the part is still kept."""
    starts, ends, audits, days = [], [], [], 1
    run = ""
    for table in tables:
        publication = partitions.days(table).get(ds)
        ended = _visible(settings, table, ds, publication) if publication else None
        if publication is None or ended is None:
            return None
        try:
            manifests, receipt = staging.audited(settings, table, publication.run)
        except StagingError:
            return None
        run, days = publication.run, max(len(manifest.days) for manifest in manifests)
        starts.append(min(manifest.started for manifest in manifests) / NANOSECONDS)
        ends.append(ended)
        audits.append(receipt.seconds)
    return Bar(step, tables, run, days, min(starts), max(ends), sum(audits)) if starts else None


def _visible(settings: Settings, table: str, ds: str, publication: Publication) -> float | None:
    """When the publication became visible; None when nothing records it any more.

    Early publications do not say it themselves; their snapshots do, until they expire.
    """
    if publication.published:
        return publication.published / NANOSECONDS
    iceberg = load_table(settings, table_named(table))
    for snapshot in iceberg.snapshots() if iceberg else []:
        there = published_by(snapshot).get(ds)
        if there and there.run == publication.run and there.digest == publication.digest:
            return snapshot.timestamp_ms / 1000
    return None
