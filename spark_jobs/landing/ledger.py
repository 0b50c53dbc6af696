"""The ledger of a job's days: files that were read before and are gone, and rows of `landed_files`."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame

from pipeline.sources.ledger import Entry, entry
from pipeline.storage import provenance
from pipeline.storage.staging import Manifest
from pipeline.tables.registry import LANDED_FILES, RAW_EVENTS
from spark_jobs.engine.job import SparkJob
from spark_jobs.landing.inspect import Landed

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NANOSECONDS = 1000  # in a microsecond


def known_files(job: SparkJob) -> list[Entry]:
    """What the published raw rows of the job's days were read from; none where TIDEMARK_FORGET_VANISHED says so.

    From the record of how they were made, not from `landed_files`, which is published after them and may lack a day.
    """
    if job.settings.forget_vanished:
        return []
    days = job.inputs.pins.days(RAW_EVENTS.name)
    published = {(ds, it.digest) for ds, it in days.items() if job.first <= ds <= job.last}
    made = provenance.entries(job.settings, [RAW_EVENTS.name])
    return [file for (_, *key), it in made.items() if tuple(key) in published for file in it.files]


def vanished(known: list[Entry], landed: Landed) -> list[Entry]:
    """Files that were read before and are not among those that are read now: their records stay.

    Held against the files that were found, not against the folder: a file that goes or comes meanwhile is in exactly
    one of the two.
    """
    there = {file.name for _, files in landed for file in files}
    return [it for it in known if it["path"] not in there]


def kept_rows(job: SparkJob, gone: list[Entry]) -> DataFrame:
    """The published raw rows of files that have vanished: they are the only record of them from then on."""
    files = [str(row["path"]) for row in gone]
    rows = job.read_published(RAW_EVENTS, job.first, job.last)
    return rows.where(rows["source_file"].isin(files))


def entries(landed: Landed, gone: list[Entry]) -> list[Entry]:
    """Every file that the raw rows are made of, as it was read."""
    return [entry(source, file) for source, files in landed for file in files] + gone


def stage_ledger(job: SparkJob, raw: Manifest, read: list[Entry]) -> None:
    """Stages `landed_files`. The row of a file that was read before with the same bytes stays as it is."""
    known = job.inputs.pins.read(LANDED_FILES.name, job.first, job.last).to_pylist()
    before = {(row["ds"], row["path"], row["sha256"]): row for row in known}
    now = datetime.now(UTC)
    seen = {(row["ds"], row["path"]): row["first_seen"] for row in known}
    rows = [
        before.get((it["ds"], it["path"], it["sha256"]))
        or {
            **it,
            "modified": EPOCH + int(str(it["modified"])) // NANOSECONDS * MICROSECOND,
            "first_seen": seen.get((it["ds"], it["path"]), now),
            "run": job.run,
            "attempt": raw.attempt,
        }
        for it in sorted(read, key=lambda it: str(it["path"]))
    ]
    found = pl.from_arrow(pa.Table.from_pylist(rows, schema=LANDED_FILES.schema))
    assert isinstance(found, pl.DataFrame)
    counts: dict[str, object] = {"rows": dict.fromkeys(job.days, 0) | Counter(str(row["ds"]) for row in rows)}
    job.stage_small(LANDED_FILES, found.partition_by("ds"), counts, inputs={RAW_EVENTS.name: raw.attempt})
