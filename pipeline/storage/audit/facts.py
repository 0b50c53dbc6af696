"""Row counts compared with what the jobs counted another way, and with neighbouring tables."""

import duckdb
import pyarrow.parquet as pq

from pipeline.runtime.errors import AuditError
from pipeline.runtime.settings import Settings
from pipeline.storage import reading, staging
from pipeline.storage.audit.staged_rows import data_files, parquet_sql
from pipeline.storage.staging import Manifest

Counts = dict[tuple[str, str], int]  # (ds, platform or topic) -> rows


def check_row_facts(table: str, manifests: list[Manifest], rows: dict[str, int]) -> None:
    """The rows of each day equal `facts["rows"]`, summed over the parts that state it."""
    expected: dict[str, int] = {}
    stated = [manifest.facts["rows"] for manifest in manifests if "rows" in manifest.facts]
    if stated and len(stated) < len(manifests):
        raise AuditError(
            f"{table}: expected every part to state its rows, found {len(stated)} of "
            f"{len(manifests)} that do; run the job again"
        )
    for fact in stated:
        assert isinstance(fact, dict)
        for ds, count in fact.items():
            expected[ds] = expected.get(ds, 0) + int(count)
    for ds in sorted(set(expected) | set(rows)) if stated else ():
        if expected.get(ds, 0) != rows.get(ds, 0):
            raise AuditError(
                f"{table} ds={ds}: expected {expected.get(ds, 0)} rows (counted by the job), "
                f"found {rows.get(ds, 0)} in the staged files; run the job again"
            )


def list_lengths(manifests: list[Manifest]) -> dict[str, int]:
    """Shortest length that a job vouches for, of each list column that it states."""
    lengths: dict[str, int] = {}
    for manifest in manifests:
        for column, length in manifest.facts.items():
            if isinstance(length, int):
                lengths[column] = min(length, lengths.get(column, length))
    return lengths


def check_accounting(settings: Settings, run: str, manifests: list[Manifest]) -> None:
    """The accounting of a run equals the rows that it stands for, per platform and day."""
    days = sorted({ds for manifest in manifests for ds in manifest.days})
    accounting = _accounting(manifests)
    for table, column in (("events", "events"), ("quarantine", "quarantined")):
        counted = rows_by_platform(staging.current(settings, table, run), days)
        claimed = {key: row[column] for key, row in accounting.items()}
        _compare(f"staged {table}", column, claimed, counted)
    _compare_landed(settings, run, days, accounting)


def check_landed_files(settings: Settings, run: str, manifests: list[Manifest]) -> None:
    """The records of the landed files of a day are the rows of its `raw_events`, per platform."""
    days = sorted({ds for manifest in manifests for ds in manifest.days})
    found = rows_by_platform(staging.current(settings, "raw_events", run), days)
    files = data_files(manifests)
    query = (
        f"SELECT ds, platform, sum(records)::BIGINT FROM {parquet_sql(files)} GROUP BY ds, platform" if files else ""
    )
    with duckdb.connect() as connection:
        rows = connection.execute(query).fetchall() if query else []
    said = {(ds, platform): records for ds, platform, records in rows}
    for ds, platform in sorted(said.keys() | found.keys()):
        if said.get((ds, platform), 0) != found.get((ds, platform), 0):
            raise AuditError(
                f"landed_files ds={ds} platform={platform}: expected {found.get((ds, platform), 0)} records (rows of "
                f"raw_events), found {said.get((ds, platform), 0)}; run ingest again"
            )


def check_item_topics(settings: Settings, run: str, manifests: list[Manifest]) -> None:
    """Items belong to the topics of the same run that are alive, and each topic has the number it declares."""
    topics = staging.current(settings, "topics", run)
    said = _counts(topics, "items", "ended_ds IS NULL")
    found = _counts(manifests, "count(*)", "true GROUP BY ds, topic_id")
    for ds, topic in sorted(set(found) - set(said)):
        raise AuditError(
            f"item_topics ds={ds}: expected topics that are alive in `topics`, found {topic} of "
            f"{found[ds, topic]} items; run topics again"
        )
    for ds, topic in sorted(said):
        if said[ds, topic] != found.get((ds, topic), 0):
            raise AuditError(
                f"item_topics ds={ds}: expected {said[ds, topic]} items of topic {topic} "
                f"(`topics`), found {found.get((ds, topic), 0)}; run topics again"
            )


def _counts(manifests: list[Manifest], count: str, rows: str) -> Counts:
    """A number per day and topic."""
    files = data_files(manifests)
    if not files:
        return {}
    query = f"SELECT ds, topic_id, {count} FROM {parquet_sql(files)} WHERE {rows}"
    with duckdb.connect() as connection:
        return {(ds, topic): number for ds, topic, number in connection.execute(query).fetchall()}


def _compare(what: str, column: str, claimed: Counts, counted: Counts) -> None:
    for ds, platform in sorted(set(claimed) | set(counted)):
        said, found = claimed.get((ds, platform), 0), counted.get((ds, platform), 0)
        if said != found:
            raise AuditError(
                f"accounting ds={ds} platform={platform}: expected {column} = {found} "
                f"(rows of {what}), found {said}; run clean again"
            )


def _compare_landed(
    settings: Settings, run: str, days: list[str], accounting: dict[tuple[str, str], dict[str, int]]
) -> None:
    """Against the `raw_events` that this run has staged, which are published before; else the published ones."""
    staged = _staged_rows(settings, "raw_events", run)
    published = reading.published("raw_events", settings)
    for ds in days:
        if ds not in staged and ds not in published:
            raise AuditError(
                f"accounting ds={ds}: expected raw_events to be published, found it is not; run ingest first"
            )
        rows = staged[ds] if ds in staged else published[ds].rows
        kind = "published" if ds in published and published[ds].rows == rows else "staged"
        landed = sum(row["rows_landed"] for (day, _), row in accounting.items() if day == ds)
        if landed != rows:
            raise AuditError(
                f"accounting ds={ds}: expected rows_landed = {rows} (rows of "
                f"{kind} raw_events), found {landed}; run clean again"
            )


def _staged_rows(settings: Settings, table: str, run: str) -> dict[str, int]:
    """Rows per day of what a run has staged of a table; empty when it has staged nothing."""
    if not staging.run_folder(settings, table, run).exists():
        return {}
    manifests = staging.current(settings, table, run)
    rows = dict.fromkeys((ds for manifest in manifests for ds in manifest.days), 0)
    for manifest in manifests:
        for ds, paths in manifest.days.items():
            rows[ds] += sum(pq.read_metadata(path).num_rows for path in paths)
    return rows


def _accounting(manifests: list[Manifest]) -> dict[tuple[str, str], dict[str, int]]:
    files = data_files(manifests)
    if not files:
        return {}
    names = ("rows_landed", "events", "quarantined")
    query = f"SELECT ds, platform, {', '.join(names)} FROM {parquet_sql(files)}"
    with duckdb.connect() as connection:
        found = connection.execute(query).fetchall()
    return {(ds, platform): dict(zip(names, counts, strict=True)) for ds, platform, *counts in found}


def rows_by_platform(manifests: list[Manifest], days: list[str]) -> Counts:
    """Staged rows of each day and platform."""
    files = data_files(manifests)
    if not files:
        return {}
    query = f"SELECT ds, platform, count(*) FROM {parquet_sql(files)} GROUP BY ds, platform"
    with duckdb.connect() as connection:
        found = connection.execute(query).fetchall()
    return {(ds, platform): rows for ds, platform, rows in found if ds in days}
