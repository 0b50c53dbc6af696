"""Published days without persons: rows, files, snapshots; several users and grown tables."""

import dataclasses
import time

import pyarrow.parquet as pq
import pytest

from pipeline.erasure.data_files import holding, table_files
from pipeline.erasure.published import Erasing, erase_rows
from pipeline.erasure.snapshots import forget_snapshots, snapshots_holding
from pipeline.runtime.errors import FencedError
from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import load_table
from pipeline.storage.publish import publish
from pipeline.storage.reading import published, read
from pipeline.storage.rollback import rollback
from pipeline.storage.suppression import suppress
from pipeline.tables import registry
from pipeline.tables.registry import table_named
from pipeline.tables.schema import STRING, Column
from tests.unit.pipeline.staged_factory import SOUND, pass_audit, stage

HISTORY = table_named("user_history")
ONE, TWO = "2024-03-05", "2024-03-06"
A, B, C, D = (letter * 32 for letter in "abcd")


def put(home: Settings, days: dict[str, list[str]], files: int = 1, **more: object) -> str:
    """Publishes users of days; returns the run."""
    run = f"test-{time.time_ns()}"
    rows = {
        ds: [{**SOUND["user_history"], "ds": ds, "user_id": user, **more} for user in users]
        for ds, users in days.items()
    }
    pass_audit(home, stage(home, "user_history", rows, run, files_per_day=files))
    publish(home, registry.TABLES["user_history"], run)
    return run


def users(home: Settings, ds: str) -> list[str]:
    return sorted(read("user_history", ds, home)["user_id"].to_pylist())


def erased(home: Settings, *persons: str) -> dict[str, int]:
    work = Erasing(home, frozenset(persons), "erasure-x")
    days = erase_rows(work, registry.TABLES["user_history"])
    gone = set(holding(HISTORY, table_files(home, HISTORY), work.users))
    forget_snapshots(home, HISTORY, gone)
    return days


def test_several_persons_in_one_pass_over_several_files(home: Settings) -> None:
    put(home, {ONE: [A, B, C, D], TWO: [A, D]}, files=2)
    kept = [row for row in read("user_history", ONE, home).to_pylist() if row["user_id"] == C]
    assert erased(home, A, B) == {ONE: 2, TWO: 1}
    assert (users(home, ONE), users(home, TWO)) == ([C, D], [D])
    assert [r for r in read("user_history", ONE, home).to_pylist() if r["user_id"] == C] == kept
    assert [published("user_history", home)[ds].rows for ds in (ONE, TWO)] == [2, 1]
    assert erased(home, A, B) == {}


def test_a_day_of_the_persons_alone_is_empty_and_stays_published(home: Settings) -> None:
    put(home, {ONE: [A], TWO: [B]})
    assert erased(home, A) == {ONE: 1}
    assert users(home, ONE) == []
    assert published("user_history", home)[ONE].rows == 0


def test_only_the_snapshots_that_held_the_person_go(home: Settings) -> None:
    """B's day was there before A came: its snapshot stays, and can still be read."""
    put(home, {ONE: [B]})
    before = load_table(home, HISTORY).current_snapshot().snapshot_id
    put(home, {TWO: [A, B]})
    live = load_table(home, HISTORY).current_snapshot().snapshot_id
    held = snapshots_holding(home, HISTORY, set(holding(HISTORY, table_files(home, HISTORY), frozenset([A]))))
    assert (held[before], held[live]) == (False, True)
    erased(home, A)
    iceberg = load_table(home, HISTORY)
    ids = {snapshot.snapshot_id for snapshot in iceberg.snapshots()}
    assert before in ids and live not in ids
    assert iceberg.scan(snapshot_id=before).to_arrow()["user_id"].to_pylist() == [B]


def test_a_rollback_goes_past_what_is_forgotten(home: Settings) -> None:
    """The second publication held A; half of its transaction, the deletion, named nobody."""
    put(home, {ONE: [B]})
    put(home, {ONE: [A, B]})
    put(home, {ONE: [A, B, C]})
    erased(home, A)
    assert users(home, ONE) == [B, C]
    assert rollback(home, HISTORY, ONE).rows == 1
    assert users(home, ONE) == [B]


def test_no_manifest_keeps_bounds_of_the_persons_files(home: Settings) -> None:
    """Iceberg keeps 16 letters of the least and the greatest user of each file."""
    put(home, {ONE: [A, C]})
    put(home, {TWO: [B]})
    erased(home, A)
    iceberg = load_table(home, HISTORY)
    field = iceberg.schema().find_field("user_id").field_id
    kept = set((home.warehouse / "tidemark" / "user_history" / "metadata").glob("*.avro"))
    named = {
        manifest.manifest_path.removeprefix("file://")
        for snapshot in iceberg.snapshots()
        for manifest in snapshot.manifests(iceberg.io)
    }
    lists = {it.manifest_list.removeprefix("file://") for it in iceberg.snapshots()}
    assert {str(path) for path in kept} == named | lists
    lower = [
        entry.data_file.lower_bounds[field]
        for snapshot in iceberg.snapshots()
        for manifest in snapshot.manifests(iceberg.io)
        for entry in manifest.fetch_manifest_entry(iceberg.io, discard_deleted=False)
    ]
    assert lower and not [bound for bound in lower if bound.startswith(b"aaaa")]


def test_a_file_of_before_a_column_was_declared(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home, {ONE: [A, B]})
    grown = dataclasses.replace(HISTORY, columns=(*HISTORY.columns, Column("mood", STRING, "")))
    monkeypatch.setitem(registry.TABLES, "user_history", grown)
    put(home, {TWO: [A, B]}, mood="calm")
    assert erased(home, A) == {ONE: 1, TWO: 1}
    left = [read("user_history", ds, home).select(["user_id", "mood"]) for ds in (ONE, TWO)]
    assert [rows.to_pylist() for rows in left] == [
        [{"user_id": B, "mood": None}],
        [{"user_id": B, "mood": "calm"}],
    ]


def test_field_ids_and_checksums_are_as_the_jobs_write_them(home: Settings) -> None:
    put(home, {ONE: [A, B]})
    (old,) = table_files(home, HISTORY)
    erased(home, A)
    new = next(path for path in table_files(home, HISTORY) if path != old)
    assert pq.read_schema(new).equals(pq.read_schema(old), check_metadata=True)
    assert pq.ParquetFile(new, page_checksum_verification=True).read().num_rows == 1


def test_what_was_staged_before_is_refused_and_removed(home: Settings) -> None:
    rows = [{**SOUND["user_history"], "ds": ONE, "user_id": user} for user in (A, B)]
    manifest = stage(home, "user_history", {ONE: rows}, "late", files_per_day=2)
    pass_audit(home, manifest)
    suppress(home, [A])
    with pytest.raises(FencedError, match="found some in 1 staged files, which are removed"):
        publish(home, HISTORY, "late")
    assert published("user_history", home) == {}
    assert list(holding(HISTORY, table_files(home, HISTORY), frozenset([A, B])).values()) == [1]
