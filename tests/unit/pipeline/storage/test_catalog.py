"""Columns declared later, on a home that already holds the table."""

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.runtime.errors import SettingsError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import ensure_table, file_schema, open_catalog
from pipeline.storage.files import write_day
from pipeline.storage.publish import publish
from pipeline.storage.reading import read, scan
from pipeline.tables.registry import TRAINING_EXAMPLES
from tests.unit.pipeline.staged_factory import SOUND, pass_audit, stage

OLD, NEW = "2024-03-05", "2024-03-12"


def test_a_required_column_is_added_to_a_table_that_is_there(home: Settings) -> None:
    fewer = replace(
        TRAINING_EXAMPLES,
        columns=tuple(c for c in TRAINING_EXAMPLES.columns if c.name != "return_7d"),
    )
    assert "return_7d" not in ensure_table(home, fewer).schema().column_names
    files = file_schema(home, TRAINING_EXAMPLES)
    assert files.names == TRAINING_EXAMPLES.schema.names
    assert not files.field("return_7d").nullable  # an audit refuses files that could hold nulls
    row = SOUND["training_examples"]
    for ds, run in ((OLD, "r1"), (NEW, "r2")):
        pass_audit(home, stage(home, "training_examples", {ds: [{**row, "ds": ds}]}, run))
        publish(home, TRAINING_EXAMPLES, run)
    assert not ensure_table(home, TRAINING_EXAMPLES).schema().find_field("return_7d").required
    assert read("training_examples", NEW, home)["return_7d"].to_pylist() == [False]
    assert scan("training_examples", OLD, home).to_arrow()["return_28d"].to_pylist() == [False]


def test_a_day_published_before_a_column_reads_as_nulls(home: Settings) -> None:
    fewer = replace(
        TRAINING_EXAMPLES,
        columns=tuple(c for c in TRAINING_EXAMPLES.columns if c.name != "return_7d"),
    )
    row = {name: value for name, value in SOUND["training_examples"].items() if name != "return_7d"}
    attempt = staging.begin(home, fewer.name, "r1")
    rows = pa.Table.from_pylist([row], schema=fewer.schema)
    path = write_day(attempt.day(OLD), rows, file_schema(home, fewer))
    pass_audit(home, staging.complete(attempt, [OLD], {OLD: [path]}))
    publish(home, fewer, "r1")
    ensure_table(home, TRAINING_EXAMPLES)
    found = read("training_examples", OLD, home)
    assert found["return_7d"].to_pylist() == [None]
    assert not found.schema.field("user_id").nullable


def test_a_copied_home_is_refused_before_it_writes_into_the_first(home: Settings, tmp_path: Path) -> None:
    ensure_table(home, TRAINING_EXAMPLES)
    copy = home.model_copy(update={"home": tmp_path / "copy"})
    shutil.copytree(home.home, copy.home)
    with pytest.raises(SettingsError, match=r"expected tables below .*copy/warehouse, found one"):
        ensure_table(copy, TRAINING_EXAMPLES)


def test_a_commit_waits_a_minute_for_a_lock(home: Settings) -> None:
    """Without it SQLite gives up after 5 s, which a commit next to a backup can take."""
    with open_catalog(home).engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000
