"""How data files are written: Iceberg field ids, zstd, page checksums, one day per file."""

import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP_ROWS = 128_000
HELD_BYTES = 32 << 20  # of wide rows, a row group holds fewer


class DayFile:
    """A Parquet file of one day, written batch by batch, in row groups that hold many."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = str(folder / f"{uuid.uuid4().hex}.parquet")
        self.rows = 0
        self._schema = schema
        self._held: list[pa.Table] = []
        self._held_rows, self._held_bytes = 0, 0
        self._writer = pq.ParquetWriter(
            self.path, schema, compression="zstd", store_schema=False, write_page_checksum=True
        )

    def write(self, rows: pa.Table) -> None:
        """Adds rows, cast to the file's schema. Raises ArrowInvalid when they do not fit."""
        if not rows.num_rows:
            return  # a row group without rows has no statistics, which audits ask for
        ordered = rows.select(self._schema.names).cast(self._schema)
        self.rows += ordered.num_rows
        self._held.append(ordered)
        self._held_rows += ordered.num_rows
        self._held_bytes += ordered.nbytes
        if self._held_rows >= ROW_GROUP_ROWS or self._held_bytes >= HELD_BYTES:
            self._write_held()

    def close(self) -> None:
        if self._held:
            self._write_held()
        self._writer.close()

    def _write_held(self) -> None:
        self._writer.write_table(pa.concat_tables(self._held), row_group_size=ROW_GROUP_ROWS)
        self._held, self._held_rows, self._held_bytes = [], 0, 0


def write_day(folder: Path, rows: pa.Table, schema: pa.Schema) -> str:
    """Writes one day's rows to a fresh file of `folder`; returns its path."""
    file = DayFile(folder, schema)
    file.write(rows)
    file.close()
    return file.path
