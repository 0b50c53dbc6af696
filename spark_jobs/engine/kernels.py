"""One shuffle by key, then a vectorised kernel that sees all rows of a key together."""

from collections.abc import Callable, Iterator

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

CHUNK_BYTES = 64 << 20  # Arrow bytes handed to a kernel at once; a larger group comes whole
Kernel = Callable[[pl.DataFrame], pl.DataFrame]


def map_groups(rows: DataFrame, key: str, kernel: Kernel, schema: pa.Schema) -> DataFrame:
    """`kernel` over the rows of whole groups of `key`, which must not be null.

    Spark sorts (and spills) by key, so that a worker holds one chunk and not its whole partition.
    """
    ordered = rows.repartition(key).sortWithinPartitions(key)

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for chunk in whole_groups(batches, key, CHUNK_BYTES):
            yield from in_schema(kernel(_frame(chunk)), schema).to_batches()

    return ordered.mapInArrow(run, from_arrow_schema(schema))


def whole_groups(
    batches: Iterator[pa.RecordBatch], key: str, chunk_bytes: int
) -> Iterator[pa.Table]:
    """Tables of at least `chunk_bytes` that cut batches sorted by `key` only between keys."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.nbytes
        if size >= chunk_bytes:
            table = pa.Table.from_batches(held)
            last_group = pc.index(table[key], table[key][-1]).as_py()
            if last_group:
                yield table[:last_group]
            held = table[last_group:].to_batches()
            size = sum(rest.nbytes for rest in held)
    if held:
        yield pa.Table.from_batches(held)


def in_schema(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """The frame as Arrow in exactly the columns and types of `schema`."""
    table: pa.Table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    return table.select(schema.names).cast(schema)


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame
