"""Parquet and ORC files in types that Spark has too, read in pieces of bounded size.

A time without a zone stays one (`timestamp[us]`, a local time of the source's `timezone`), one with a zone becomes an
instant in UTC; nanoseconds are cut to microseconds. INT96, which Spark and Hive write, is an instant.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from pipeline.runtime.errors import LandingError
from pipeline.sources.unpack import BOMB_BYTES, BOMB_RATIO, check_number, shown

LARGEST_GROUP = 4 << 30  # bytes of a row group (a stripe), unpacked
LARGEST_ROW = 64 << 20  # bytes of a row, on average of a row group
BATCH_BYTES = 32 << 20
BATCH_ROWS = 65_536
WORDS = {"parquet": "Parquet", "orc": "ORC"}
DAMAGE = (pa.ArrowException, OSError, ValueError)


def arrow_schema(path: Path, name: str, format_: str) -> tuple[int, pa.Schema]:
    """Rows, and the columns as they are in the file.

    Raises LandingError for a file that is damaged, names a column twice, or would not fit into memory.
    """
    try:
        with _opened(path, format_) as file:
            if format_ == "parquet":
                _check_size(file.metadata, path, name)
                rows, schema = file.metadata.num_rows, file.schema_arrow
            else:
                rows, schema = file.nrows, file.schema
    except DAMAGE as error:
        raise damaged(name, format_, error) from None
    check_number(rows, path, name)
    twice = sorted({column for column in schema.names if schema.names.count(column) > 1})
    if twice:
        raise LandingError(
            f"{name}: expected each column once, found {shown(twice[0])} twice; write it under two names"
        )
    return rows, schema


def readable_schema(path: Path, name: str, format_: str) -> tuple[int, pa.Schema]:
    """Rows, and the columns in the types in which they are read. Raises like `arrow_schema`."""
    rows, schema = arrow_schema(path, name, format_)
    return rows, read_as(schema, int96_columns(path) if format_ == "parquet" else frozenset())


def damaged(name: str, format_: str, error: Exception) -> LandingError:
    return LandingError(
        f"{name}: expected a whole {WORDS[format_]} file, found a truncated or damaged one "
        f"({shown((str(error).splitlines() or [''])[0])}); deliver it again"
    )


def read_as(schema: pa.Schema, instants: frozenset[str] = frozenset()) -> pa.Schema:
    """The types in which the columns are read. `instants`: columns of INT96, which Arrow shows without a zone."""
    return pa.schema([(field.name, _plain(field.type, field.name in instants)) for field in schema])


def int96_columns(path: Path) -> frozenset[str]:
    """Top-level columns that hold INT96 anywhere."""
    columns = pq.read_metadata(path).schema
    paths = [columns.column(number) for number in range(len(columns))]
    return frozenset(it.path.split(".")[0] for it in paths if it.physical_type == "INT96")


def batches(path: str, name: str, format_: str, part: int, parts: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Every `parts`-th row group (stripe) from `part` on, in pieces, each with the number of its first row, from 0."""
    try:
        with _opened(Path(path), format_) as file:
            read = _parquet_batches if format_ == "parquet" else _orc_batches
            yield from read(file, part, parts)
    except DAMAGE as error:
        raise damaged(name, format_, error) from None


def in_types(batch: pa.RecordBatch, schema: pa.Schema, name: str, row: int) -> pa.RecordBatch:
    """The batch in the types of `schema`. Raises LandingError naming the column that does not fit."""
    columns = []
    for field in schema:
        column = batch.column(batch.schema.get_field_index(field.name))
        try:
            columns.append(column if column.type == field.type else _cast(column, field.type))
        except (pa.ArrowException, NotImplementedError) as error:
            raise LandingError(
                f"{name}: rows from {row + 1} on, column {shown(field.name)}: expected values that fit {field.type}, "
                f"found {column.type} ({shown(error)}); write the column in another type"
            ) from None
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _opened(path: Path, format_: str) -> Any:
    if format_ == "parquet":
        return pq.ParquetFile(path, coerce_int96_timestamp_unit="us", pre_buffer=False, buffer_size=1 << 20)
    return _Orc(path)


class _Orc:
    """An ORC file that can be closed."""

    def __init__(self, path: Path) -> None:
        self._source = pa.OSFile(str(path))
        self.file = orc.ORCFile(self._source)
        self.nrows, self.schema = self.file.nrows, self.file.schema

    def __enter__(self) -> "_Orc":
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()


def _check_size(metadata: pq.FileMetaData, path: Path, name: str) -> None:
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    unpacked = sum(group.total_byte_size for group in groups)
    if unpacked > max(BOMB_BYTES, BOMB_RATIO * path.stat().st_size):
        raise LandingError(
            f"{name}: expected a log, found a Parquet file that unpacks to more than {BOMB_RATIO} times its size; "
            "deliver it unpacked, when it is meant so"
        )
    for number, group in enumerate(groups):
        if group.total_byte_size > LARGEST_GROUP:
            raise LandingError(
                f"{name}: row group {number}: expected at most {LARGEST_GROUP >> 30} GiB, found "
                f"{group.total_byte_size >> 20:,} MiB; write smaller row groups"
            )
        if group.num_rows and group.total_byte_size / group.num_rows > LARGEST_ROW:
            raise LandingError(
                f"{name}: row group {number}: expected records of at most {LARGEST_ROW >> 20} MiB, found "
                f"{group.num_rows} in {group.total_byte_size >> 20:,} MiB; leave the long values out"
            )


def _parquet_batches(file: pq.ParquetFile, part: int, parts: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    first = 0
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        if number % parts == part:
            row = first
            wide = max(1, group.total_byte_size // max(group.num_rows, 1))
            rows = max(1, min(BATCH_ROWS, BATCH_BYTES // wide))
            for batch in file.iter_batches(rows, row_groups=[number], use_threads=False):
                yield row, batch
                row += batch.num_rows
        first += group.num_rows


def _orc_batches(file: _Orc, part: int, parts: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    first = 0
    for number in range(file.file.nstripes):
        stripe = file.file.read_stripe(number)  # ORC does not tell its rows before it is read
        if number % parts == part:
            for start in range(0, stripe.num_rows, BATCH_ROWS):
                yield first + start, stripe.slice(start, BATCH_ROWS)
        first += stripe.num_rows


def _plain(kind: pa.DataType, instant: bool) -> pa.DataType:
    """The type of Spark that holds a type."""
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if types.is_dictionary(kind):
        return _plain(kind.value_type, instant)
    if types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz or instant else None)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return pa.list_(_plain(kind.value_type, instant))
    if types.is_struct(kind):
        return pa.struct([(field.name, _plain(field.type, instant)) for field in kind])
    if types.is_map(kind):
        return pa.map_(_plain(kind.key_type, instant), _plain(kind.item_type, instant))
    if types.is_decimal(kind):
        return kind if types.is_decimal128(kind) and 0 <= kind.scale <= kind.precision else pa.string()
    simple = {
        pa.uint8(): pa.int16(),
        pa.uint16(): pa.int32(),
        pa.uint32(): pa.int64(),
        pa.uint64(): pa.decimal128(20, 0),
        pa.float16(): pa.float32(),
        pa.date64(): pa.date32(),
    }
    if kind in simple:
        return simple[kind]
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return pa.binary()
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_date32(kind):
        return kind
    return pa.string()  # texts of all widths, times of day, durations, columns of nulls


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_duration(column.type):
        column = column.cast(pa.int64())
    coarser = pa.types.is_timestamp(kind) and pa.types.is_timestamp(column.type) and column.type.unit == "ns"
    nested = pa.types.is_nested(kind)
    return column.cast(kind, safe=not (coarser or nested))
