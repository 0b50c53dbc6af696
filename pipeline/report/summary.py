"""What a night published, in a few lines."""

import pyarrow.compute as pc

from pipeline.runtime.settings import Settings
from pipeline.storage.log_length import trains_from
from pipeline.storage.reading import published, read, scan
from pipeline.storage.report_files import nightly_page
from pipeline.tables.features import NO_MODEL
from pipeline.tables.registry import TABLES

# Why a table may hold no row after a whole night.
NEEDS_MORE = {
    "user_uplift": "no trial ranks users better than chance (uplift_judgements says why)",
    "segment_members": "every segment is too small to export",
    "user_history_intraday": "written by the hourly refresh",
    "user_features_intraday": "written by the hourly refresh",
    "intraday_refreshes": "written by the hourly refresh",
    "hourly_judgements": "written by hourly learning",
}
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
        f"platforms       {', '.join(sorted(accounting['platform'].to_pylist())) or 'none'}",
        f"sessions        {sessions:,}",
        f"users scored    {scored:,} by model {_model(settings, ds)}",
        *_decisions(settings, ds),
        *_empty(settings),
        *_report(settings, ds),
    ]


def _model(settings: Settings, ds: str) -> str:
    versions = scan("user_features", ds, settings).select("model_version").to_arrow()
    found = ", ".join(sorted(set(versions["model_version"].to_pylist()))) or NO_MODEL
    return f"{found}; one is trained from {trains_from(settings, ds)} on" if found == NO_MODEL else found


def _decisions(settings: Settings, ds: str) -> list[str]:
    """What was decided from the night, once the DAG `ad_policy` has run."""
    if any(
        ds not in published(table, settings) for table in ("policy_judgements", "interventions", "uplift_judgements")
    ):
        return []
    campaigns, listed = (published(table, settings)[ds].rows for table in ("policy_judgements", "interventions"))
    trials = read("uplift_judgements", ds, settings)["decision"].to_pylist()
    scored = sum(decision == "scored" for decision in trials)
    return [
        f"decisions       {campaigns} campaigns, {listed} interventions, uplift of {scored} of {len(trials)} trials"
    ]


def _empty(settings: Settings) -> list[str]:
    """The tables without a row, and why, after decisions were made; earlier most are."""
    rows = {name: sum(day.rows for day in published(name, settings).values()) for name in TABLES}
    empty = [f"{name}: {NEEDS_MORE.get(name, 'nothing to write')}" for name, count in rows.items() if not count]
    return (
        ["no rows yet", *(f"                {line}" for line in empty)] if empty and rows["policy_judgements"] else []
    )


def _report(settings: Settings, ds: str) -> list[str]:
    """Where the page of the night lies, once it is drawn."""
    page = nightly_page(settings, ds)
    return [f"report          {page}"] if page.exists() else []
