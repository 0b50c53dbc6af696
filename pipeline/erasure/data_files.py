"""Parquet files without a person's rows: which files hold them, and the same file without them."""

import os
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.erasure.masks import kept_columns, masked_rows
from pipeline.erasure.names import Names
from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import file_schema
from pipeline.storage.declared import duckdb_sql, row_groups
from pipeline.storage.files import DayFile
from pipeline.tables.columns import IDS, id_columns
from pipeline.tables.schema import Table

AT_ONCE = 500  # files of one query

Change = Callable[[pa.Table, np.ndarray], pa.Table]  # rows, which are the persons' → rows to keep


def table_files(settings: Settings, table: Table) -> list[str]:
    """Every data file that was ever staged and still exists: published, old or unused."""
    return sorted(str(path) for path in (settings.staging / table.name).rglob("*.parquet"))


def holding(table: Table, files: list[str], users: frozenset[str]) -> dict[str, int]:
    """The files of a table with rows of the users or accounts, and how many."""
    ids = id_columns(table)
    if not ids:
        return {}
    theirs = " OR ".join(f"{name} IN (SELECT unnest($users))" for name in ids)
    found: dict[str, int] = {}
    with duckdb.connect() as connection:
        for start in range(0, len(files), AT_ONCE):
            source = duckdb_sql(connection, table, files[start : start + AT_ONCE], ids, names=True)
            query = f"SELECT filename, count(*) FROM ({source}) WHERE {theirs} GROUP BY filename"
            found |= dict(connection.execute(query, {"users": sorted(users)}).fetchall())
    return found


def without_rows(rows: pa.Table, theirs: np.ndarray) -> pa.Table:
    """The rows of the others. Slices, not a filter: pyarrow aborts when filtered maps are cast."""
    edges = [0, *(np.flatnonzero(np.diff(theirs)) + 1), len(theirs)]
    kept = [rows.slice(a, b - a) for a, b in pairwise(edges) if b > a and not theirs[a]]
    return pa.concat_tables(kept) if kept else rows.slice(0, 0)


def plain(schema: pa.Schema) -> pa.Schema:
    """The schema without dictionaries: these are written whole, with values that no row has."""
    return pa.schema(
        [field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field for field in schema]
    )


def rewritten(
    settings: Settings,
    table: Table,
    path: str,
    folder: Path,
    users: frozenset[str],
    names: Names,
    change: Change = without_rows,
) -> str:
    """A file of `folder` with the rows that `change` leaves, `names` masked in them; empty when it leaves none.

    Columns, field ids and the order of rows are those of the file, which stays as it is; where it has columns that are
    not declared any more, they are those that are.
    """
    schema, groups = row_groups(path, table, file_schema(settings, table))
    written = DayFile(folder, schema)
    for rows in groups:
        kept, _ = masked_rows(change(rows, _theirs(rows, users)), names, kept_columns(table))
        if kept.num_rows:
            written.write(kept)
    written.close()
    if written.rows:
        return written.path
    Path(written.path).unlink()
    return ""


def _theirs(rows: pa.Table, users: frozenset[str]) -> np.ndarray:
    """Per row, whether one of the columns that name persons and accounts names one of the users."""
    wanted = pa.array(sorted(users), pa.string())
    named = [pc.is_in(rows[name], wanted) for name in IDS if name in rows.schema.names]
    return np.logical_or.reduce([np.zeros(rows.num_rows, bool), *(column.to_numpy() for column in named)])


def same_file(path: str, folder: Path) -> str:
    """The file under another path, which Iceberg takes for another file.

    Its time is now: maintenance would take an old one for an orphan until it is published.
    """
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"kept-{Path(path).name}"
    try:
        os.link(path, copy)
        os.utime(copy)
    except OSError:
        shutil.copy(path, copy)
    return str(copy)
