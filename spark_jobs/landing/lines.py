"""Read landed files in Python workers, through Arrow: every record becomes a row.

Spark's own readers drop what they cannot read or stop at it. Here a record that cannot be read is a row with a
`problem`. A task reads one part of one file: every n-th block of a text file, every n-th row group of a Parquet file.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from pipeline.sources.json_array import array_elements, is_array
from pipeline.sources.landed_file import LandedFile
from pipeline.sources.text_records import Block, Dialect, record_blocks
from pipeline.sources.typed_files import batches, in_types
from pipeline.storage.suppression import ERASED
from spark_jobs.landing.decode import MAP, Reading, decode

PART_BYTES = 8 << 20  # a file of more bytes is read by several tasks
ARRAY_RECORDS = 16_384  # of a JSON array, decoded at once
OF_FILE = [("ds", pa.string()), ("source_file", pa.string())]
OF_RECORD = [("line", pa.int64()), ("text", pa.string()), ("problem", pa.string()), ("sha256", pa.string())]
BATCH = 16_384  # rows handed to Spark at once


@dataclass(frozen=True)
class FilePart:
    """What a task reads: every `parts`-th block or row group of a file, from number `part` on."""

    path: str
    name: str
    ds: str
    part: int
    parts: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class TypedReading:
    """How Parquet and ORC files are read: in the types of `schema`, which holds all columns of the files."""

    format: str
    schema: pa.Schema
    max_record_bytes: int


def read_texts(spark: SparkSession, files: list[LandedFile], reading: Reading) -> DataFrame:
    """One row per record: its place, `unknown`, and the fields of the source as `f0`, `f1`, …

    A task that shares a file decompresses all of it and keeps every n-th block: for gzip this is cheaper than a shuffle
    of the records.
    """
    fields = [(f"f{number}", pa.string()) for number in range(len(reading.drop.columns))]
    schema = pa.schema([*OF_FILE, *OF_RECORD, ("unknown", MAP), *fields])

    def read(part: FilePart) -> Iterator[pa.Table]:
        return _read_text(part, reading)

    return _of_parts(spark, files, read, schema, from_arrow_schema(schema))


def read_typed(spark: SparkSession, files: list[LandedFile], reading: TypedReading) -> DataFrame:
    """One row per row of the files: its place, and the columns in their order as `f0`, `f1`, …"""
    fields = [(f"f{number}", field.type) for number, field in enumerate(reading.schema)]
    schema = pa.schema([*OF_FILE, *OF_RECORD, *fields])

    def read(part: FilePart) -> Iterator[pa.Table]:
        return _read_typed(part, reading)

    return _of_parts(spark, files, read, schema, from_arrow_schema(schema, prefer_timestamp_ntz=True))


def _of_parts(
    spark: SparkSession,
    files: list[LandedFile],
    read: Callable[[FilePart], Iterator[pa.Table]],
    schema: pa.Schema,
    kinds: StructType,
) -> DataFrame:
    """What `read` gives of every part of the files; `kinds` is `schema` in Spark's types."""
    cores = spark.sparkContext.defaultParallelism
    parts = [
        FilePart(file.path, file.name, file.ds, part, count, file.columns)
        for file in files
        for count in [min(cores, 1 + file.size // PART_BYTES)]
        for part in range(count)
    ]

    def run(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for number in batch["id"].to_pylist():
                yield from _placed(read(parts[number]), parts[number], schema)

    return spark.range(0, len(parts), 1, min(len(parts), 4 * cores)).mapInArrow(run, kinds)


def _placed(rows: Iterator[pa.Table], part: FilePart, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for found in rows:
        place = {
            name: pa.repeat(pa.scalar(value, pa.string()), len(found))
            for name, value in (("ds", part.ds), ("source_file", part.name))
        }
        columns = {**place, **dict(zip(found.column_names, found.columns, strict=True))}
        yield from pa.table([columns[name] for name in schema.names], schema=schema).to_batches(max_chunksize=BATCH)


def _read_text(it: FilePart, reading: Reading) -> Iterator[pa.Table]:
    """The records of every `parts`-th block of a file, from block `part` on."""
    drop = reading.drop
    has_header = drop.format == "csv" and drop.header
    if drop.format == "jsonl" and is_array(Path(it.path), it.name, drop):
        blocks: Iterator[Block] = _array_blocks(array_elements(Path(it.path), it.name, drop))
    else:
        blocks = record_blocks(it.path, it.name, drop, keep_empty_first=has_header)
    for number, block in enumerate(blocks):
        if number % it.parts == it.part:
            rest = block.drop_first() if number == 0 and has_header else block
            if len(rest):
                yield decode(rest, it.columns, reading)


def _array_blocks(elements: list[bytes]) -> Iterator[Block]:
    """Elements of an array as if they were lines; `line` is the number of the element."""
    for first in range(0, len(elements), ARRAY_RECORDS):
        some = elements[first : first + ARRAY_RECORDS]
        stops = np.cumsum([len(element) + 1 for element in some])
        starts = np.concatenate(([0], stops[:-1]))
        lines = np.arange(first + 1, first + 1 + len(some))
        data = b"\n".join(some) + b"\n"
        yield Block(data, starts, stops - 1, stops, lines, np.zeros(len(some), bool), Dialect())


def _read_typed(it: FilePart, reading: TypedReading) -> Iterator[pa.Table]:
    """The rows of every `parts`-th row group. A row of nulls is the mark of an erased one."""
    for first, batch in batches(it.path, it.name, reading.format, it.part, it.parts):
        rows = in_types(batch, reading.schema, it.name, first)
        nothing = reduce(pc.and_, [column.is_null() for column in rows.columns])
        long = pc.greater(reduce(pc.add, [_bytes(column) for column in rows.columns]), reading.max_record_bytes)
        problem = pc.if_else(nothing, ERASED, pc.if_else(long, "oversized", pa.scalar(None, pa.string())))
        empty = pa.nulls(len(rows), pa.string())
        lines = pa.array(np.arange(first + 1, first + 1 + len(rows)))
        place = {"line": lines, "text": empty, "problem": problem, "sha256": empty}
        fields = rows.columns
        if problem.null_count < len(rows):
            kept = pc.if_else(problem.is_null(), pa.array(np.arange(len(rows))), pa.scalar(None, pa.int64()))
            fields = [column.take(kept) for column in fields]
        yield pa.table({**place, **{f"f{number}": column for number, column in enumerate(fields)}})


def _bytes(column: pa.Array) -> pa.Array:
    """Bytes of each text of a column; 0 for other types."""
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        return pc.fill_null(pc.binary_length(column), 0).cast(pa.int64())
    return pa.array(np.zeros(len(column), np.int64))
