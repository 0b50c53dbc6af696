"""A vectorised kernel over rows that are whole by themselves: no shuffle, bounded memory."""

from collections.abc import Iterator

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from spark_jobs.engine.kernels import Kernel, in_schema

CHUNK_BYTES = 32 << 20  # Arrow bytes handed to a kernel at once


def map_chunks(rows: DataFrame, kernel: Kernel, schema: pa.Schema) -> DataFrame:
    """`kernel` over chunks of `rows`, in the columns and types of `schema`.

    Chunks are larger than Spark's batches: a kernel that looks items up pays for the table of all
    items once per chunk.
    """

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for chunk in chunks(batches, CHUNK_BYTES):
            frame = pl.from_arrow(chunk)
            assert isinstance(frame, pl.DataFrame)
            yield from in_schema(kernel(frame), schema).to_batches()

    return rows.mapInArrow(run, from_arrow_schema(schema))


def chunks(batches: Iterator[pa.RecordBatch], chunk_bytes: int) -> Iterator[pa.Table]:
    """Batches brought together until they hold `chunk_bytes`; the last may hold less."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(rest.nbytes for rest in held) >= chunk_bytes:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)
