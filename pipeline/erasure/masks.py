"""What others wrote about a person: the names are masked where they stand, and the record stays."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.erasure.contents import Looking, texts
from pipeline.erasure.names import Names
from pipeline.tables.schema import Table

PLACES = ("source_file", "path")  # of a landed file, whose name stays as it is


def kept_columns(table: Table) -> frozenset[str]:
    """The columns of a table that name no person in words: ids, days, words of a list, places of files."""
    return frozenset({it.name for it in table.columns if it.pattern or it.values} | set(PLACES))


def mentioning(table: Table, files: Iterable[str], names: Names) -> Iterator[str]:
    """The data files of a table in which a name is to be masked."""
    keep = kept_columns(table)
    for path in files:
        with pq.ParquetFile(path) as file:
            columns = [name for name in file.schema_arrow.names if name not in keep]
            groups = (file.read_row_group(number, columns) for number in range(file.num_row_groups))
            if any(_is_named(chunk, names) for rows in groups for it in rows.columns for chunk in it.chunks):
                yield path


def masked_rows(rows: pa.Table, names: Names, keep: frozenset[str] = frozenset()) -> tuple[pa.Table, int]:
    """The rows with every name masked but in the columns `keep`, and how many rows that changed."""
    changed = np.zeros(rows.num_rows, bool)
    for number, field in enumerate(rows.schema):
        if field.name in keep or not any(_is_named(chunk, names) for chunk in rows[field.name].chunks):
            continue
        before = rows[field.name].to_pylist()
        after = [_masked(value, field.type, names) for value in before]
        changed |= np.array([a != b for a, b in zip(before, after, strict=True)], bool)
        rows = rows.set_column(number, field, pa.array(after, field.type))
    return rows, int(changed.sum())


def _is_named(column: pa.Array, names: Names) -> bool:
    return any(names.named(content) for content in texts(column, Looking(names.maybe)))


def _masked(value: Any, kind: pa.DataType, names: Names) -> Any:
    """A value of a column, masked. Names of nested fields stay; a binary of fixed width is as long as before."""
    if isinstance(value, str):
        return names.masked(value)
    if isinstance(value, bytes):
        return overwritten(value, names) if pa.types.is_fixed_size_binary(kind) else names.masked_bytes(value)
    if isinstance(value, dict):
        return {name: _masked(it, kind.field(name).type, names) for name, it in value.items()}
    if isinstance(value, list) and pa.types.is_map(kind):
        return [(_masked(a, kind.key_type, names), _masked(b, kind.item_type, names)) for a, b in value]
    if isinstance(value, list):
        return [_masked(it, kind.value_type, names) for it in value]
    return value


def overwritten(content: bytes, names: Names) -> bytes:
    """The content with asterisks for each byte of a name."""
    parts, start = [], 0
    for first, last in names.spans(content):
        parts += [content[start:first], b"*" * (last - first)]
        start = last
    return b"".join([*parts, content[start:]])
