"""Where the nightly reports and the pages of experiments are. Light: Airflow's UI imports it."""

from pathlib import Path

from pipeline.runtime.settings import Settings


def nightly_folder(settings: Settings) -> Path:
    return settings.reports / "nightly"


def nightly_page(settings: Settings, ds: str) -> Path:
    """The path of a night's page."""
    return nightly_folder(settings) / f"{ds}.html"


def nights_written(settings: Settings) -> list[str]:
    """The nights that have a page, newest first."""
    stems = [page.stem for page in nightly_folder(settings).glob("????-??-??.html")]
    return sorted(stems, reverse=True)


def experiment_pages(settings: Settings) -> list[str]:
    """The experiments that have a page, by name."""
    return sorted(page.stem for page in (settings.reports / "experiments").glob("*.html"))
