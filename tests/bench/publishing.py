"""Publish made-up rows without an audit: a bench measures what reads them."""

from collections.abc import Iterable

import pyarrow as pa

from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import DayFile
from pipeline.storage.publish import publish
from pipeline.tables.schema import Table


def publish_day(settings: Settings, table: Table, ds: str, chunks: Iterable[pa.Table]) -> None:
    """Publishes one day of a table; `chunks` are written one by one, so memory holds one of them."""
    run = f"bench-{ds}"
    attempt = staging.begin(settings, table.name, run)
    file = DayFile(attempt.day(ds), file_schema(settings, table))
    for chunk in chunks:
        file.write(chunk)
    file.close()
    staging.complete(attempt, [ds], {ds: [file.path]} if file.rows else {})
    content: dict[str, dict[str, object]] = {ds: {"rows": file.rows, "digest": ds}}
    receipt = staging.Receipt(table.name, run, {"all": attempt.path.name}, content, 0.0)
    staging.write_receipt(settings, receipt)
    publish(settings, table, run)


def rows_of(table: Table, ds: str, columns: dict[str, pa.Array]) -> pa.Table:
    """Rows of a day with these columns, and nulls in the others."""
    size = len(next(iter(columns.values())))
    given = {"ds": pa.repeat(ds, size), **columns}
    arrays = [given.get(field.name, pa.nulls(size, field.type)) for field in table.schema]
    return pa.table(arrays, names=table.schema.names).cast(table.schema)
