"""The page of a night: one file that needs nothing but itself.

Titles, topics and reasons may hold any text: the templates escape all of it.
"""

from datetime import UTC, datetime
from pathlib import Path

from pipeline.report import words
from pipeline.report.findings import Finding, findings
from pipeline.report.night import Night
from pipeline.report.rendering import template
from pipeline.report.shelf import Listed, write_index
from pipeline.report.tiles import tiles
from pipeline.runtime.atomic import replace_text
from pipeline.runtime.settings import Settings
from pipeline.storage.report_files import nightly_page, nights_written


def write_night(settings: Settings, night: Night) -> Path:
    """Writes the page of a night and the list of nights; returns the page."""
    page = nightly_page(settings, night.ds)
    earlier = [ds for ds in nights_written(settings) if ds < night.ds]
    replace_text(page, render_night(night, settings, max(earlier, default=None)))
    write_index(settings)
    return page


def render_night(night: Night, settings: Settings, earlier: str | None = None) -> str:
    """The page as HTML; `earlier` is the night that it leads back to."""
    told = findings(night)
    return template("night.html.j2").render(
        night=night,
        findings=told,
        tiles=tiles(night),
        earlier=earlier,
        floor=words.FLOOR,
        segment_floor=settings.segment_floor,
        summary=_listed(night, told).as_json(),
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def _listed(night: Night, told: list[Finding]) -> Listed:
    return Listed(
        ds=night.ds,
        landed=night.funnel.landed if night.funnel else None,
        scored=night.audience.coverage.scored,
        moving=night.drift.moving_text,
        state=told[0].state if told else "fine",
        stands_out=told[0].text if told else "",
    )
