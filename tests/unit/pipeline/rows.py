"""Small published partitions for tests: staged, given a receipt, published."""

from datetime import UTC, datetime

import pyarrow as pa

from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import write_day
from pipeline.storage.publications import Publication
from pipeline.storage.publish import publish
from pipeline.tables.registry import ACCOUNTING
from pipeline.tables.schema import Table


def accounting_rows(ds: str, rows: int, landed: int = 1) -> pa.Table:
    """`rows` platforms that landed `landed` events each."""
    columns = {
        "ds": [ds] * rows,
        "platform": [f"shop_{number}" for number in range(rows)],
        "rows_landed": [landed] * rows,
        "events": [landed] * rows,
        "duplicates": [0] * rows,
        "quarantined": [0] * rows,
        "quarantine_reasons": [[] for _ in range(rows)],
    }
    return pa.table(columns, schema=ACCOUNTING.schema)


def stage_accounting(settings: Settings, run: str, days: dict[str, int], landed: int = 1) -> None:
    """Stages a day per entry with that many rows, and writes the receipt of a passed audit."""
    attempt = staging.begin(settings, "accounting", run)
    schema = file_schema(settings, ACCOUNTING)
    files = {
        ds: [write_day(attempt.day(ds), accounting_rows(ds, rows, landed), schema)] for ds, rows in days.items() if rows
    }
    staging.complete(attempt, list(days), files)
    receipt = {ds: {"rows": rows, "digest": f"{rows}x{landed}"} for ds, rows in days.items()}
    attempts = {"all": attempt.path.name}
    staging.write_receipt(settings, staging.Receipt("accounting", run, attempts, receipt, 0.0))


def publish_accounting(settings: Settings, run: str, days: dict[str, int], landed: int = 1) -> dict[str, Publication]:
    """Stages and publishes; returns the days that changed."""
    stage_accounting(settings, run, days, landed)
    return publish(settings, ACCOUNTING, run)


def whole_row(table: Table, **fields: object) -> dict[str, object]:
    """A row with `fields`; required columns that are not among them have the emptiest value of their type."""
    return {it.name: _nothing(it.type) for it in table.columns if it.required} | fields


def _nothing(kind: pa.DataType) -> object:
    if pa.types.is_string(kind):
        return "x"
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        return []
    if pa.types.is_timestamp(kind):
        return datetime(2026, 1, 1, tzinfo=UTC)
    return False if pa.types.is_boolean(kind) else 0
