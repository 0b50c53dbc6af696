"""Sort users into campaign segments.

    python -m pipeline segments build --ds 2026-03-31 --run R

Reads `user_features` and `topics` of the day; writes staged partitions of `segments` and `segment_members`. Segments
that would reveal fewer than TIDEMARK_SEGMENT_FLOOR users are named without a size, and none of their members is
written.
"""

import duckdb
import pyarrow as pa

from pipeline.decisions.segments.segment_members import exported, find_members
from pipeline.decisions.segments.segments import Segment, with_topics
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.declared import arrow_dataset_of
from pipeline.storage.files import DayFile
from pipeline.storage.inputs import Inputs
from pipeline.storage.night import require_together
from pipeline.tables.interests import SEGMENT_MEMBERS, SEGMENTS, TOPICS
from pipeline.tables.registry import USER_FEATURES
from pipeline.tables.schema import Table

BATCH_ROWS = 128_000


def build_segments(settings: Settings, ds: str, run: str) -> None:
    """Stages the segments of `ds` and the members of those that may be exported."""
    inputs = Inputs.of(settings)
    require_together(inputs.pins, ds, (TOPICS.name, USER_FEATURES.name))
    inputs.open_day(USER_FEATURES, ds)  # published, or the message says what is missing
    files = inputs.pins.files(USER_FEATURES.name, ds, ds)
    segments = with_topics(_topics(inputs, ds))
    with duckdb.connect() as database:
        if files:
            find_members(database, files, segments)
        shown = exported(database, segments, settings.segment_floor) if files else {}
        members = _members(database, sorted(shown), ds) if files else None
        for table, rows in ((SEGMENTS, _rows(segments, shown, ds)), (SEGMENT_MEMBERS, members)):
            _stage(settings, table, rows, ds, run, inputs)
    print(f"segments ds={ds}: {len(segments)} segments, {len(shown)} exported")


def _topics(inputs: Inputs, ds: str) -> list[tuple[str, str]]:
    """Ids and names of the topics that are alive; none where the day has no topics."""
    files = inputs.files(TOPICS.name, ds, ds)
    rows = arrow_dataset_of(TOPICS, files).to_table(columns=["topic_id", "name", "ended_ds"]).to_pylist()
    return [(row["topic_id"], row["name"]) for row in rows if row["ended_ds"] is None]


def _rows(segments: list[Segment], shown: dict[str, int], ds: str) -> pa.RecordBatchReader:
    rows = [
        {"ds": ds, "segment": s.name, "meaning": s.meaning, "users": shown.get(s.name), "is_exported": s.name in shown}
        for s in sorted(segments, key=lambda s: s.name)
    ]
    return pa.Table.from_pylist(rows, schema=SEGMENTS.schema).to_reader()


def _members(database: duckdb.DuckDBPyConnection, shown: list[str], ds: str) -> pa.RecordBatchReader:
    query = """SELECT ? AS ds, segment, user_id FROM members WHERE list_contains(?, segment)
        ORDER BY segment, user_id"""
    return database.sql(query, params=[ds, shown]).to_arrow_reader(BATCH_ROWS)


def _stage(
    settings: Settings,
    table: Table,
    rows: pa.RecordBatchReader | None,
    ds: str,
    run: str,
    inputs: Inputs,
) -> None:
    attempt = staging.begin(settings, table.name, run, fence=inputs.fence)
    files: dict[str, list[str]] = {}
    written = 0
    if rows is not None:
        file = DayFile(attempt.day(ds), file_schema(settings, table))
        for batch in rows:
            file.write(pa.Table.from_batches([batch]))
        file.close()
        written, files = file.rows, {ds: [file.path]} if file.rows else {}
    staging.complete(attempt, [ds], files, inputs.as_json(), {"rows": {ds: written}})
