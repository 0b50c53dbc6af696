"""The nights that have a page, and the pages that lead to them. Light: Airflow's UI imports it.

    reports/nightly/<ds>.html    one night
    reports/nightly/index.html   the nights, newest first

Each page says of itself what the lists show, so that they are made from the pages alone.
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from markupsafe import Markup

from pipeline.report.rendering import template
from pipeline.report.words import MISSING
from pipeline.runtime.atomic import replace_text
from pipeline.runtime.days import parse_day
from pipeline.runtime.settings import Settings
from pipeline.storage.report_files import nightly_folder, nightly_page, nights_written

SUMMARY = re.compile(r'<script type="application/json" id="summary">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True)
class Listed:
    """What a list says of a night."""

    ds: str
    landed: int | None
    scored: int | None
    moving: str
    state: str  # of the worst finding
    stands_out: str

    def as_json(self) -> Markup:
        """For the page; it cannot end the script element that it stands in."""
        return Markup(json.dumps(asdict(self)).replace("<", "\\u003c"))


def listed(settings: Settings, ds: str) -> Listed:
    """What the page of a night says; one of another make has its day alone."""
    found = SUMMARY.search(nightly_page(settings, ds).read_text(encoding="utf-8"))
    nothing = Listed(parse_day(ds), None, None, MISSING, "fine", "")
    return Listed(**json.loads(found.group(1))) if found else nothing


def write_index(settings: Settings) -> Path:
    """Writes the list of all nights; returns it."""
    nights = [listed(settings, ds) for ds in nights_written(settings)]
    index = nightly_folder(settings) / "index.html"
    replace_text(index, template("index.html.j2").render(nights=nights))
    return index


def render_start(settings: Settings, newest: int, **doors: str) -> str:
    """The page inside Airflow's UI: the newest nights, and the doors to other evidence."""
    nights = nights_written(settings)
    shown = [listed(settings, ds) for ds in nights[:newest]]
    return template("start.html.j2").render(nights=shown, total=len(nights), **doors)


def render_sentence(text: str) -> str:
    """A page that says why there is no report."""
    return template("sentence.html.j2").render(text=text)
