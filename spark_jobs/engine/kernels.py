"""Vectorised kernels over the rows of a DataFrame: in chunks, or all rows of a key together."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

# Arrow bytes handed to a kernel at once. A larger group is handed over whole.
GROUP_BYTES = 64 << 20
CHUNK_BYTES = 32 << 20
USER = "user_id"
Kernel = Callable[[pl.DataFrame], pl.DataFrame]

MICROS = 1e6


@dataclass(frozen=True)
class Made:
    """What `run` makes of `rows`, in the columns of `schema`.

    What a kernel makes is best written where it is made: to hand it back to Spark takes longer than most kernels.
    """

    rows: DataFrame
    run: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
    schema: pa.Schema

    def frame(self) -> DataFrame:
        """The same for Spark to go on with."""
        return self.rows.mapInArrow(self.run, from_arrow_schema(self.schema))


def map_groups(rows: DataFrame, key: str, kernel: Kernel, schema: pa.Schema) -> DataFrame:
    """See `made_by_group`."""
    return made_by_group(rows, key, kernel, schema).frame()


def made_by_group(rows: DataFrame, key: str, kernel: Kernel, schema: pa.Schema) -> Made:
    """`kernel` over the rows of whole groups of `key`, which must not be null.

    Spark sorts (and spills) by key, so that a worker holds one chunk and not its whole partition.
    """
    ordered = (_by_range(rows) if key == USER else rows.repartition(key)).sortWithinPartitions(key)

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for chunk in whole_groups(batches, key, GROUP_BYTES):
            yield from in_schema(kernel(_frame(chunk)), schema).to_batches()

    return Made(ordered, run, schema)


def _by_range(rows: DataFrame) -> DataFrame:
    """Each partition has one range of the users, who are digests: so a reader of some users needs few files, and of
    these few row groups (training/data/arrow.py).
    """
    partitions = int(rows.sparkSession.conf.get("spark.sql.shuffle.partitions") or 1)
    head = F.conv(F.substring(USER, 1, 4), 16, 10).cast("int")
    return rows.repartitionById(partitions, F.floor(head * partitions / 16**4).cast("int"))


def whole_groups(batches: Iterator[pa.RecordBatch], key: str, chunk_bytes: int) -> Iterator[pa.Table]:
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


def map_chunks(rows: DataFrame, kernel: Kernel, schema: pa.Schema) -> DataFrame:
    """`kernel` over chunks of `rows`, in the columns and types of `schema`.

    Chunks are larger than Spark's batches: a kernel that looks items up pays for the table of all items once per chunk.
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


def exact_sum(value: pl.Expr) -> pl.Expr:
    """Sum in millionths of a unit; nulls count as 0.

    A sum of floats changes with the order of its terms, so a range load and a night would differ.
    """
    return ((value * MICROS).round().cast(pl.Int128).sum().cast(pl.Float64) / MICROS).round(6)
