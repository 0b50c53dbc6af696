"""Stage a DataFrame as one set of data files per day.

Executors write the files themselves, through Arrow: so they carry Iceberg field ids (also of nested columns, which
Spark's writer cannot set) and page checksums, no rename is needed, and a task that runs twice only leaves files that no
manifest lists.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema

from pipeline.storage.files import DayFile
from spark_jobs.engine.kernels import Made

WRITTEN = "ds string, path string, rows long"


def write_days(
    rows: DataFrame | Made, folder: Path, schema: pa.Schema, days: list[str], gather: bool = True
) -> pa.Table:
    """Writes `rows` below `folder/<ds>/`; returns one row per file: ds, path, rows.

    One day is written by every task that holds rows of it; a range is first brought together by day, so that a year of
    days does not become a year times tasks of small files. A few days whose rows are large, and come day by day, need
    no `gather`: each task keeps a file of each day open.
    """
    gather &= len(days) > 1
    if gather:
        frame = rows.frame() if isinstance(rows, Made) else rows
        rows = frame.repartition("ds").sortWithinPartitions("ds")
    made = rows if isinstance(rows, Made) else Made(rows.select(*schema.names), iter, schema)
    most_open, run = 1 if gather else len(days), made.run

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from _write_partition(run(batches), folder, schema, most_open)

    return made.rows.mapInArrow(write, WRITTEN).toArrow()


def write_rows(rows: DataFrame | Made, folder: Path) -> list[str]:
    """Writes `rows` of whatever columns below `folder`, for what is counted of them; returns the paths of files."""
    made = rows if isinstance(rows, Made) else Made(rows, iter, to_arrow_schema(rows.schema, timezone="UTC"))
    run, schema = made.run, made.schema

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        file = DayFile(folder, schema)
        for batch in run(batches):
            file.write(pa.Table.from_batches([batch]))
        file.close()
        yield pa.RecordBatch.from_pydict({"path": [file.path]})

    return made.rows.mapInArrow(write, "path string").toArrow()["path"].to_pylist()


def _write_partition(
    batches: Iterator[pa.RecordBatch], folder: Path, schema: pa.Schema, most_open: int
) -> Iterator[pa.RecordBatch]:
    files: dict[str, DayFile] = {}
    for batch in batches:
        for ds, rows in by_day(batch):
            if ds not in files:
                while len(files) >= most_open:
                    yield _written(*files.popitem())
                files[ds] = DayFile(folder / ds, schema)
            files[ds].write(rows)
    for ds, file in files.items():
        yield _written(ds, file)


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
