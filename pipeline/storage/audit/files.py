"""Checks of staged Parquet files: complete, of one day, with the declared columns.

The footers give rows, columns and the bounds of `ds`; then every page is decoded once with its checksum verified, so
that a flipped byte stops the night here and not in a reader.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.runtime.errors import AuditError
from pipeline.storage.staging import Manifest
from pipeline.tables.schema import Table

AGAIN = "run the job again"


def check_files(table: Table, manifests: list[Manifest]) -> dict[str, int]:
    """Rows of each staged day. Raises AuditError for the first file that fails a check."""
    rows = {ds: 0 for manifest in manifests for ds in manifest.days}
    for manifest in manifests:
        for ds, paths in manifest.days.items():
            for path in paths:
                rows[ds] += check_file(table, ds, Path(path))
    return dict(sorted(rows.items()))


def check_file(table: Table, ds: str, path: Path) -> int:
    """Rows of one staged file."""
    where = f"{table.name} ds={ds} file {path.name}"
    if not path.exists():
        raise AuditError(f"{where}: expected the file of the manifest, found none; {AGAIN}")
    if path.stat().st_size == 0:
        raise AuditError(f"{where}: expected Parquet, found an empty file (0 bytes); {AGAIN}")
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise AuditError(
            f"{where}: expected Parquet with a footer, found a truncated or damaged file "
            f"({_first_line(error)}); {AGAIN}"
        ) from None
    with file:
        _check_columns(where, table.schema, file.schema_arrow)
        _check_footer(where, ds, path, file.metadata)
        _check_pages(where, file)
        return file.metadata.num_rows


def _check_columns(where: str, declared: pa.Schema, found: pa.Schema) -> None:
    if found.names != declared.names:
        missing = [name for name in declared.names if name not in found.names]
        unknown = [name for name in found.names if name not in declared.names]
        difference = f"missing {missing}, unknown {unknown}" if missing or unknown else "other order"
        raise AuditError(
            f"{where}: expected the declared columns {declared.names}, found {found.names} "
            f"({difference}); write the table as pipeline/tables/registry.py declares it"
        )
    for name in declared.names:
        expected, actual = _plain(declared.field(name).type), _plain(found.field(name).type)
        if expected != actual:
            raise AuditError(
                f"{where}: expected {name} of type {expected}, found {actual}; "
                "write the table as pipeline/tables/registry.py declares it"
            )
        if found.field(name).nullable and not declared.field(name).nullable:
            raise AuditError(
                f"{where}: expected {name} as a required column, found one that may hold nulls; "
                "write the file with catalog.file_schema"
            )


def _check_footer(where: str, ds: str, path: Path, footer: pq.FileMetaData) -> None:
    if path.parent.name != ds:
        raise AuditError(f"{where}: expected it in folder {ds}, found it in {path.parent.name}")
    if footer.num_rows == 0:
        raise AuditError(f"{where}: expected at least one row, found none; leave the file out")
    column = footer.schema.names.index("ds")  # before any nested column, so leaf = column
    for group in range(footer.num_row_groups):
        statistics = footer.row_group(group).column(column).statistics
        if statistics is None or not statistics.has_min_max or not statistics.has_null_count:
            raise AuditError(
                f"{where} row group {group}: expected statistics of ds, found none; write the file with statistics"
            )
        if statistics.null_count or (statistics.min, statistics.max) != (ds, ds):
            raise AuditError(
                f"{where} row group {group}: expected ds = {ds} in every row, found "
                f"{statistics.min}..{statistics.max} and {statistics.null_count} nulls; {AGAIN}"
            )


def _check_pages(where: str, file: pq.ParquetFile) -> None:
    for group in range(file.num_row_groups):
        try:
            file.read_row_group(group)
        except (pa.ArrowException, OSError) as error:
            raise AuditError(
                f"{where} row group {group}: expected pages as they were written, found damage "
                f"({_first_line(error)}); {AGAIN}"
            ) from None


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type without what Parquet does not store: large offsets, names and nulls of elements."""
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_map(kind):
        return pa.map_(_plain(kind.key_type), _plain(kind.item_type))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _plain(field.type)) for field in kind])
    return kind


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
