"""How data files are written: Iceberg field ids, zstd, page checksums, one day per file."""

import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP_ROWS = 128_000


class DayFile:
    """A Parquet file of one day, written batch by batch."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = str(folder / f"{uuid.uuid4().hex}.parquet")
        self.rows = 0
        self._schema = schema
        self._writer = pq.ParquetWriter(
            self.path, schema, compression="zstd", store_schema=False, write_page_checksum=True
        )

    def write(self, rows: pa.Table) -> None:
        """Adds rows, cast to the file's schema. Raises ArrowInvalid when they do not fit."""
        if not rows.num_rows:
            return  # a row group without rows has no statistics, which audits ask for
        ordered = rows.select(self._schema.names).cast(self._schema)
        self._writer.write_table(ordered, row_group_size=ROW_GROUP_ROWS)
        self.rows += rows.num_rows

    def close(self) -> None:
        self._writer.close()


def write_day(folder: Path, rows: pa.Table, schema: pa.Schema) -> str:
    """Writes one day's rows to a fresh file of `folder`; returns its path."""
    file = DayFile(folder, schema)
    file.write(rows)
    file.close()
    return file.path
