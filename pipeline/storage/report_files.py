"""Where the nightly reports lie. Light: Airflow's UI imports it."""

from pathlib import Path

from pipeline.runtime.settings import Settings


def nightly_folder(settings: Settings) -> Path:
    return settings.reports / "nightly"


def nightly_page(settings: Settings, ds: str) -> Path:
    """Where the page of a night lies."""
    return nightly_folder(settings) / f"{ds}.html"


def nights_written(settings: Settings) -> list[str]:
    """The nights that have a page, newest first."""
    stems = [page.stem for page in nightly_folder(settings).glob("????-??-??.html")]
    return sorted(stems, reverse=True)
