"""The rows of `intraday_refreshes`: what a refresh took, what it cost, when it was readable."""

from datetime import datetime

import pyarrow as pa

from pipeline.intraday.base import instant
from pipeline.intraday.taken import Row, finished
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import write_day
from pipeline.storage.reading import published
from pipeline.tables.intraday import (
    INTRADAY_REFRESHES,
    USER_FEATURES_INTRADAY,
    USER_HISTORY_INTRADAY,
)
from pipeline.tables.schema import Table

NO_RUN = ""  # no refresh has this name: all refreshes of a day


def stage(settings: Settings, row: Row, before: list[Row]) -> None:
    """Stages the day of a refresh: its row, next to those of `before`."""
    ds, run = str(row["ds"]), str(row["run"])
    rows = pa.Table.from_pylist([*before, row], schema=INTRADAY_REFRESHES.schema)
    attempt = staging.begin(settings, INTRADAY_REFRESHES.name, run)
    path = write_day(attempt.day(ds), rows, file_schema(settings, INTRADAY_REFRESHES))
    staging.complete(attempt, [ds], {ds: [path]}, facts={"rows": {ds: len(rows)}})


def scored_by(settings: Settings, run: str) -> object:
    """The model that scored the run's users; None when there was nobody to score."""
    (manifest,) = staging.current(settings, USER_FEATURES_INTRADAY.name, run)
    return manifest.facts["model_version"]


def step_seconds(settings: Settings, row: Row) -> list[dict[str, object]]:
    """What each step of a refresh that is readable took, from the end of the step before on, so that starting a process
    and waiting for one are in it.
    """
    (manifest,) = staging.current(settings, USER_HISTORY_INTRADAY.name, str(row["run"]))
    ends = {
        "begin": datetime.fromisoformat(str(manifest.facts["began_at"])),
        "refresh": _visible(settings, USER_HISTORY_INTRADAY, row),
        "rescore": _visible(settings, USER_FEATURES_INTRADAY, row),
        "patch": row["readable_at"],
    }
    steps, times = list(ends), list(ends.values())
    return [
        {"step": step, "seconds": (end - start).total_seconds()}  # type: ignore[operator]
        for step, start, end in zip(steps[1:], times[:-1], times[1:], strict=True)
    ]


def newest(settings: Settings) -> Row | None:
    """The refresh that finished last; None if there never was one."""
    days = published(INTRADAY_REFRESHES.name, settings)
    rows = finished(settings, max(days), NO_RUN) if days else []
    return rows[-1] if rows else None


def describe(row: Row) -> str:
    """What a refresh took, and how soon that could be read, in one line."""
    landed, readable, files = row["last_landed_at"], row["readable_at"], row["files"]
    if landed is None:
        return f"{row['hour']}, nothing new had landed"
    assert isinstance(landed, datetime) and isinstance(readable, datetime)
    assert isinstance(files, list)
    return (
        f"{row['hour']}, {row['events']:,} events of {row['users']:,} users readable "
        f"{(readable - landed).total_seconds():,.0f} s after the last of {len(files)} files landed"
    )


def _visible(settings: Settings, table: Table, row: Row) -> datetime:
    """When the run's rows of a table were readable: at their publish, or, where that changed nothing, after their
    audit.
    """
    ds, run = str(row["ds"]), str(row["run"])
    publication = published(table.name, settings)[ds]
    if publication.run == run:
        return instant(publication.published)
    receipt = staging.run_folder(settings, table.name, run) / "audit.json"
    return instant(receipt.stat().st_mtime_ns)
