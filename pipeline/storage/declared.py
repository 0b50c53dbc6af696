"""Read data files as their table is declared, engine by engine.

Files stay as they were written: an earlier version's have narrower numbers, lack columns and nested fields, and have
columns under earlier names. Iceberg resolves that by field id. Engines that read Parquet themselves match by name; with
the declared types they widen and fill in on their own, and earlier names are resolved here. Spark's part is in
`spark_jobs/engine/job.py`.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet as pq

from pipeline.storage.files import DayFile
from pipeline.tables.schema import Table

if TYPE_CHECKING:  # only the readers that use them wait for them
    import duckdb
    import polars as pl


def with_former_names(table: Table) -> pa.Schema:
    """The declared schema, followed by the earlier names of columns, which are null in newer files."""
    former = [pa.field(name, table.schema.field(now).type) for now, names in table.renamed.items() for name in names]
    declared = [it.with_nullable(it.nullable or it.name in table.renamed) for it in table.schema]
    return pa.schema([*declared, *former])


def as_declared(rows: pa.Table, table: Table) -> pa.Table:
    """The rows with the declared columns and types.

    A column that was declared after the rows were written is null, also where it is required now.
    """
    fields, columns = [], []
    for field in table.schema:
        names = [name for name in (field.name, *table.renamed.get(field.name, [])) if name in rows.schema.names]
        column = rows[names[0]].cast(field.type) if names else pa.nulls(len(rows), field.type)
        columns.append(column)
        fields.append(field.with_nullable(field.nullable or column.null_count > 0))
    return pa.table(columns, schema=pa.schema(fields))


def arrow_dataset_of(table: Table, files: Sequence[str]) -> arrow_dataset.Dataset:
    """The rows of data files as an Arrow dataset.

    Arrow cannot rename lazily: files with earlier names are read into memory. A table with renamed columns whose days
    are large is better read by `arrow_rows`.
    """
    current, former = _by_names(table, files)
    parts = [arrow_dataset.dataset(current, schema=table.schema, format="parquet")] if current or not former else []
    for path in former:
        rows = as_declared(pq.ParquetFile(path).read(), table)
        parts.append(arrow_dataset.dataset(pa.Table.from_arrays(rows.columns, schema=table.schema)))
    return parts[0] if len(parts) == 1 else arrow_dataset.dataset(parts)


def arrow_rows(
    table: Table, files: Sequence[str], columns: Sequence[str], where: pc.Expression | None = None
) -> pa.Table:
    """Some columns of the rows for which `where` holds, which may not name a renamed column."""
    current, former = _by_names(table, files)
    wanted = pa.schema([table.schema.field(name).with_nullable(True) for name in columns])
    found = [wanted.empty_table()]
    if current:
        rows = arrow_dataset.dataset(current, schema=table.schema, format="parquet")
        found.append(rows.to_table(columns=list(columns), filter=where))
    if former:
        schema = pa.schema([it for it in with_former_names(table) if it.name not in table.renamed])
        rows = arrow_dataset.dataset(former, schema=schema, format="parquet")
        names = {name: table.renamed.get(name, [name]) for name in columns}
        fields = {
            name: pc.coalesce(*[pc.field(it) for it in those]) if len(those) > 1 else pc.field(those[0])
            for name, those in names.items()
        }
        found.append(rows.to_table(columns=fields, filter=where))
    return pa.concat_tables([rows.cast(wanted) for rows in found])


def duckdb_sql(
    database: "duckdb.DuckDBPyConnection",
    table: Table,
    files: Sequence[str],
    columns: Sequence[str],
    names: bool = False,
) -> str:
    """A query of some columns of data files, for a view of this database; of no file it has no rows.

    `names` adds the column `filename`.
    """
    # An empty relation of the declared types: UNION BY NAME widens what files have, and fills in what they lack.
    declared = f"declared_{table.name}"
    database.register(declared, with_former_names(table).empty_table())
    rows = f"SELECT *{', NULL::VARCHAR AS filename' if names else ''} FROM {declared}"
    if files:
        listed = ", ".join(f"'{_text(path.removeprefix('file://'))}'" for path in files)
        source = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false, filename = {names})"
        rows += f" UNION ALL BY NAME SELECT * FROM {source}"
    wanted = [
        f"coalesce({', '.join(_quoted(it) for it in (name, *table.renamed[name]))}) AS {_quoted(name)}"
        if name in table.renamed
        else _quoted(name)
        for name in columns
    ]
    if names:
        wanted.append("filename")
    return f"SELECT {', '.join(wanted)} FROM ({rows})"


def polars_rows(table: Table, files: Sequence[str], columns: Sequence[str]) -> "pl.LazyFrame":
    """Some columns of data files, at least one, as a lazy frame."""
    import polars as pl

    empty = pl.from_arrow(with_former_names(table).empty_table())
    assert isinstance(empty, pl.DataFrame)
    frame = pl.scan_parquet(
        [path.removeprefix("file://") for path in files],
        schema=dict(empty.schema),
        missing_columns="insert",
        extra_columns="ignore",
        cast_options=pl.ScanCastOptions(
            integer_cast="upcast", float_cast="upcast", missing_struct_fields="insert", extra_struct_fields="ignore"
        ),
        hive_partitioning=False,
    )
    return frame.select(pl.coalesce(name, *table.renamed.get(name, [])) for name in columns)


def row_groups(path: str, table: Table, schema: pa.Schema) -> tuple[pa.Schema, Iterator[pa.Table]]:
    """How the rows of a data file are written once more, and the rows, a row group at a time.

    They are as in the file, field ids included, unless it holds something that is not declared any more: Iceberg takes
    no such file in. Then they are as declared. `schema` is the table's `file_schema`.
    """
    found = pq.read_schema(path)
    if all(_is_declared(field, table) for field in found):
        return found, _groups(path)
    there = {now for now in table.schema.names if {now, *table.renamed.get(now, [])} & set(found.names)}
    written = pa.schema([it if it.name in there else it.with_nullable(True) for it in schema])
    return written, (as_declared(rows, table) for rows in _groups(path))


def copied(path: str, folder: Path, table: Table, schema: pa.Schema) -> str:
    """A copy of a data file in `folder`, in columns that are declared; returns its path."""
    written, rows = row_groups(path, table, schema)
    if written == pq.read_schema(path):
        folder.mkdir(parents=True, exist_ok=True)
        return str(shutil.copy(path, folder))
    file = DayFile(folder, written)
    for some in rows:
        file.write(some)
    file.close()
    return file.path


def _groups(path: str) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


def _is_declared(field: pa.Field, table: Table) -> bool:
    """Whether a column of a file is one of the table, with no nested field that is not."""
    return field.name in table.schema.names and _paths(field.type) <= _paths(table.schema.field(field.name).type)


def _paths(kind: pa.DataType) -> set[str]:
    """The nested fields of a type, as paths."""
    if pa.types.is_struct(kind):
        return {path for field in kind for path in (field.name, *(f"{field.name}.{it}" for it in _paths(field.type)))}
    if pa.types.is_map(kind):
        return _paths(kind.item_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _paths(kind.value_type)
    return set()


def _by_names(table: Table, files: Sequence[str]) -> tuple[list[str], list[str]]:
    """The paths of files with the current names, and of those with an earlier one."""
    paths = [path.removeprefix("file://") for path in files]
    if not table.renamed:
        return paths, []
    former = {name for names in table.renamed.values() for name in names}
    old = [path for path in paths if former & set(pq.read_schema(path).names)]
    return [path for path in paths if path not in set(old)], old


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return value.replace("'", "''")
