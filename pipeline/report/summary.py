"""What a night published, in a few lines."""

import pyarrow.compute as pc

from pipeline.runtime.settings import Settings
from pipeline.storage.reading import published, read, scan
from pipeline.storage.report_files import nightly_page

SUMMARISED = ("accounting", "sessions", "user_features")  # tables that the lines are made from


def summarise(settings: Settings, ds: str) -> list[str]:
    """Rows landed and accounted, sessions, users, model, report. Raises NotPublishedError."""
    accounting = read("accounting", ds, settings)
    landed, events, duplicates, quarantined = (
        pc.sum(accounting[name]).as_py() or 0 for name in ("rows_landed", "events", "duplicates", "quarantined")
    )
    scan("user_features", ds, settings)
    scored = published("user_features", settings)[ds].rows
    sessions = published("sessions", settings)[ds].rows
    return [
        f"rows landed     {landed:,} = {events:,} events + {duplicates:,} duplicates + {quarantined:,} quarantined",
        f"sessions        {sessions:,}",
        f"users scored    {scored:,} by model {_model(settings, ds)}",
        *_report(settings, ds),
    ]


def _model(settings: Settings, ds: str) -> str:
    versions = scan("user_features", ds, settings).select("model_version").to_arrow()
    return ", ".join(sorted(set(versions["model_version"].to_pylist()))) or "none"


def _report(settings: Settings, ds: str) -> list[str]:
    """Where the page of the night lies, once it is drawn."""
    page = nightly_page(settings, ds)
    return [f"report          {page}"] if page.exists() else []
