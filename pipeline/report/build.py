"""Draw the report of one night.

    python -m pipeline build-report --ds 2011-11-09

Reads what is published of that night and before, and the evaluations in MLflow; writes
`reports/nightly/<ds>.html` and the list of nights, then prints what the night published. A table
that is not published leaves a sentence in place of its picture. Running it again writes the same
figures.
"""

from pipeline.report.night import night_of
from pipeline.report.pages import write_night
from pipeline.report.summary import SUMMARISED, summarise
from pipeline.runtime.settings import Settings
from pipeline.storage.audit.data_docs import site_lock, write_overview
from pipeline.storage.reading import published


def draw(settings: Settings, ds: str) -> None:
    """Writes the page and the list of nights, and prints what the night published."""
    night = night_of(settings, ds)
    with site_lock(settings):
        page = write_night(settings, night)
        write_overview(settings)
    if all(ds in published(table, settings) for table in SUMMARISED):
        print(*summarise(settings, ds), sep="\n")
    print(page)
