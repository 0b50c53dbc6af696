"""Stage a DataFrame as one set of data files per day.

Executors write the files themselves, through Arrow: so they carry Iceberg field ids (also of
nested columns, which Spark's writer cannot set) and page checksums, no rename is needed, and a task
that runs twice leaves only files that no manifest names.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from pipeline.parquet_files import DayFile

WRITTEN = "ds string, path string, rows long"


def write_days(rows: DataFrame, folder: Path, schema: pa.Schema, days: list[str]) -> pa.Table:
    """Writes `rows` below `folder/<ds>/`; returns one row per file: ds, path, rows.

    One day is written by every task that holds rows of it; a range is first brought together by
    day, so that a year of days does not become a year times tasks of small files.
    """
    if len(days) > 1:
        rows = rows.repartition("ds").sortWithinPartitions("ds")
    columns = rows.select(*schema.names)

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from _write_partition(batches, folder, schema)

    return columns.mapInArrow(write, WRITTEN).toArrow()


def _write_partition(
    batches: Iterator[pa.RecordBatch], folder: Path, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    open_day, file = "", None
    for batch in batches:
        for ds, rows in by_day(batch):
            if ds != open_day or file is None:
                if file is not None:
                    yield _written(open_day, file)
                open_day, file = ds, DayFile(folder / ds, schema)
            file.write(rows)
    if file is not None:
        yield _written(open_day, file)


def by_day(batch: pa.RecordBatch, column: str = "ds") -> Iterator[tuple[str, pa.Table]]:
    """The rows of a batch by runs of equal days.

    Slices, not filters: those copy, and pyarrow 25 aborts when a filtered map column is cast.
    """
    rows = pa.Table.from_batches([batch])
    runs = pc.run_end_encode(rows[column].combine_chunks())
    start = 0
    for ds, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield ds, rows.slice(start, end - start)
        start = end


def _written(ds: str, file: DayFile) -> pa.RecordBatch:
    file.close()
    return pa.RecordBatch.from_pydict({"ds": [ds], "path": [file.path], "rows": [file.rows]})
