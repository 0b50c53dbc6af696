"""A home with all tables in version 1.0 reads, takes another night, and follows changed declarations.

What is in it: tests/cases/homes/why.md.
"""

import fcntl
import gzip
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage.catalog import load_table, migrate
from pipeline.storage.publish import publish
from pipeline.storage.reading import open_day, published, read
from pipeline.tables import registry
from pipeline.tables.registry import ACCOUNTING, EVENTS, ITEMS, RAW_EVENTS, SESSIONS, USER_HISTORY, table_named
from pipeline.tables.schema import STRING, Column, Table, list_of
from spark_jobs.accumulate_history import accumulate_days
from spark_jobs.build_catalogue import catalogue_days
from spark_jobs.build_sessions import sessionize_days
from spark_jobs.clean_events import clean_days
from spark_jobs.engine.job import SparkJob
from spark_jobs.ingest_raw import ingest_days
from tests.unit.pipeline.staged_factory import pass_audit

ARCHIVE = Path(__file__).resolve().parents[2] / "cases" / "homes" / "home-1.0.tar.gz"
PLACE = Path("/tmp/tidemark-home-1.0")  # Iceberg's metadata names its files by absolute paths
HISTORY = USER_HISTORY.schema.field("events").type
SUN, MON, TUE = "2026-03-29", "2026-03-30", "2026-03-31"


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The home; for one test at a time on this machine."""
    monkeypatch.setenv("TIDEMARK_HOME", str(PLACE))
    with PLACE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(PLACE, ignore_errors=True)
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(PLACE.parent, filter="data")
        try:
            yield load_settings()
        finally:
            shutil.rmtree(PLACE, ignore_errors=True)


def names(settings: Settings) -> list[str]:
    return sorted(folder.name for folder in (settings.warehouse / "tidemark").iterdir())


def test_each_table_reads_as_declared(older: Settings) -> None:
    assert len(names(older)) == 28
    for name in names(older):
        days = published(name, older)
        rows, declared = read(name, None, older), table_named(name).schema
        assert days
        assert rows.num_rows == sum(it.rows for it in days.values())
        assert [(it.name, it.type) for it in rows.schema] == [(it.name, it.type) for it in declared]
        for ds, publication in days.items():
            assert open_day(older, table_named(name), ds)[1].count_rows() == publication.rows


def test_a_night_is_added_to_it(older: Settings, spark: SparkSession) -> None:
    landed = older.landing / "webshop"
    with gzip.open(landed / f"{SUN}.jsonl.gz", "rt") as before, gzip.open(landed / f"{TUE}.jsonl.gz", "wt") as after:
        after.write(before.read().replace(SUN, TUE))
    for step in ((ingest_days, clean_days), (sessionize_days, catalogue_days, accumulate_days)):
        job = SparkJob(older, spark, [TUE], "tue")
        for compute in step:
            compute(job.part())
        for table, manifest in job.staged.items():
            pass_audit(older, manifest)
            publish(older, table_named(table), "tue")
    for table in (RAW_EVENTS, EVENTS, ACCOUNTING, SESSIONS, ITEMS, USER_HISTORY):
        assert list(published(table.name, older)) == [SUN, MON, TUE]
    counts = read("accounting", TUE, older)
    assert sum(counts["rows_landed"].to_pylist()) == published("raw_events", older)[TUE].rows
    assert sum(counts["events"].to_pylist()) == published("events", older)[TUE].rows > 0
    before, after = (set(read("user_history", ds, older)["user_id"].to_pylist()) for ds in (MON, TUE))
    assert before <= after
    assert set(read("items", MON, older)["item_id"].to_pylist()) <= set(
        read("items", TUE, older)["item_id"].to_pylist()
    )


def test_it_follows_a_new_version_of_its_tables(older: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column is renamed, a nested field added, a column relaxed, another dropped."""

    def second(table: Table, change: Callable[[Column], Column | None]) -> Table:
        columns = tuple(it for it in map(change, table.columns) if it)
        made = replace(table, version="9.0", columns=columns)
        monkeypatch.setitem(registry.TABLES, table.name, made)
        return made

    def renamed(column: Column) -> Column:
        """Whatever the user's column is called by now."""
        names = [column.name, *column.renamed_from.split()]
        return replace(column, name="who", renamed_from=" ".join(names)) if "user_id" in names else column

    events = second(EVENTS, renamed)
    kind = list_of(**{it.name: it.type for it in HISTORY.value_type}, mood=STRING)
    second(USER_HISTORY, lambda it: replace(it, type=kind) if it.name == "events" else it)
    second(
        ITEMS, lambda it: None if it.name == "brand" else replace(it, required=False) if it.name == "platform" else it
    )
    owners = sorted(name for path in files(older, "events") for name in pq.read_table(path)["user_id"].to_pylist())
    for _ in ("as a reader", "after the migration"):
        assert sorted(read("events", None, older)["who"].to_pylist()) == owners
        assert open_day(older, events, MON)[1].to_table(["who"])["who"].null_count == 0
        histories = read("user_history", MON, older)["events"].to_pylist()
        assert {event["mood"] for events in histories for event in events} == {None}
        assert "brand" not in read("items", MON, older).schema.names
        assert set(migrate(older)) <= set(names(older))
    iceberg = load_table(older, events)
    assert iceberg is not None
    assert "who" in iceberg.schema().column_names


def files(settings: Settings, table: str) -> list[Path]:
    return sorted((settings.staging / table).rglob("*.parquet"))
