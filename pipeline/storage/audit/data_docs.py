"""Where Data Docs are: a page per table and run, and the index. Light: DAG links import it.

The validation results under `great_expectations/` are the record; the site under `reports/data_docs/` is made from
them. The newest `KEPT` results of each table are kept.
"""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from pipeline.runtime.atomic import replace_text
from pipeline.runtime.settings import Settings
from pipeline.storage.report_files import experiment_pages, nights_written

if TYPE_CHECKING:
    from filelock import FileLock

NIGHTS_LINKED = 7
KEPT = 20  # results per table; the index reads all of them at each audit
BEACON = r"https://great-expectations-web-assets[^\"' ]*"
REDIRECT = """<!doctype html><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="refresh" content="0; url={target}"><a href="{target}">{title}</a>
"""


def data_docs_page(settings: Settings, table: str, run: str) -> Path:
    """The page of the newest audit of a table in a run; it redirects to the page that GX named."""
    return site_folder(settings) / "runs" / table / f"{run}.html"


def data_docs_index(settings: Settings) -> Path:
    """The index of all audits."""
    return site_folder(settings) / "index.html"


def site_folder(settings: Settings) -> Path:
    return settings.reports / "data_docs"


def results_folder(settings: Settings) -> Path:
    """Validation results: <table>/<run>/<time>/<batch>.json."""
    return settings.home / "great_expectations" / "validations"


def suites_folder(settings: Settings) -> Path:
    return settings.home / "great_expectations" / "suites"


def link_page(settings: Settings, table: str, run: str, page: Path, outcome: str) -> None:
    """Makes the stable address of (table, run) redirect to the page that was just built."""
    link = data_docs_page(settings, table, run)
    link.parent.mkdir(parents=True, exist_ok=True)
    target = "../../" + page.relative_to(site_folder(settings)).as_posix()
    link.write_text(REDIRECT.format(title=f"{table}, run {run}: {outcome}", target=target))


def write_overview(settings: Settings) -> Path:
    """Writes the page at the root of the reports: nights, experiments and the audits that are kept; returns it."""
    from pipeline.runtime import pages  # Airflow imports this module for every link

    links = (site_folder(settings) / "runs").glob("*/*.html")
    newest_first = sorted(links, key=lambda link: link.stat().st_mtime, reverse=True)
    text = (
        pages.environment("pipeline.storage.audit")
        .get_template("overview.html.j2")
        .render(
            nights=nights_written(settings)[:NIGHTS_LINKED],
            experiments=experiment_pages(settings),
            index=data_docs_index(settings).relative_to(settings.reports).as_posix(),
            audits=[_audit(link, settings.reports) for link in newest_first],
        )
    )
    overview = settings.reports / "index.html"
    replace_text(overview, text)
    return overview


def _audit(link: Path, folder: Path) -> dict[str, str]:
    """What the overview shows of one audit."""
    return {
        "time": f"{datetime.fromtimestamp(link.stat().st_mtime, UTC):%Y-%m-%d %H:%M}",
        "table": link.parent.name,
        "page": quote(link.relative_to(folder).as_posix()),
        "run": link.stem,
        "outcome": "failed" if ": failed</title>" in link.read_text() else "passed",
    }


def prune(settings: Settings, table: str) -> None:
    """Drops all but the newest results of a table, with their links; building drops their pages."""
    folder = results_folder(settings) / table
    newest_first = sorted(folder.glob("*/*"), key=lambda path: path.name, reverse=True)
    for old in newest_first[KEPT:]:
        shutil.rmtree(old)
        if not any(old.parent.iterdir()):
            old.parent.rmdir()
            data_docs_page(settings, table, old.parent.name).unlink(missing_ok=True)


def silence(*pages: Path) -> None:
    """Removes the pictures that would report every page view to GX's server."""
    for page in pages:
        page.write_text(re.sub(BEACON, "data:,", page.read_text(encoding="utf-8")), encoding="utf-8")


def site_lock(settings: Settings) -> "FileLock":
    """One builder at a time: two audits that end together must not write one index at once."""
    from filelock import FileLock

    folder = settings.home / "great_expectations"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "site.lock")
