"""Read landed text files as lines, in Python workers, through Arrow.

Spark's own readers drop what they cannot read or stop at it. Here every line that is not empty
becomes a row, with a `problem` where its bytes are no text that a record could be in.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from pipeline.landed_file import LandedFile, line_blocks

LINE = "line long, text string, problem string, sha256 string"
PLACED_LINE = f"ds string, source_file string, {LINE}"
PART_BYTES = 8 << 20  # a file of more bytes is read by several tasks


@dataclass(frozen=True)
class Reading:
    """How the lines of a source's files are read."""

    has_header: bool
    encoding: str
    max_record_bytes: int


def read_lines(spark: SparkSession, files: list[LandedFile], reading: Reading) -> DataFrame:
    """One row per line that is not empty: its place, its text, or a problem and a hash.

    A task that shares a file decompresses all of it and keeps every n-th block: for gzip this is
    cheaper than a shuffle of the lines.
    """
    cores = spark.sparkContext.defaultParallelism
    parts = [
        (file.path, file.name, file.ds, part, parts)
        for file in files
        for parts in [min(cores, 1 + file.size // PART_BYTES)]
        for part in range(parts)
    ]
    columns = "path string, name string, ds string, part int, parts int"
    tasks = spark.createDataFrame(parts, columns).repartition(min(len(parts), 4 * cores))

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for task in batch.to_pylist():
                yield from _read_part(**task, reading=reading)

    return tasks.mapInArrow(read, PLACED_LINE)


def _read_part(
    path: str, name: str, ds: str, part: int, parts: int, reading: Reading
) -> Iterator[pa.RecordBatch]:
    """The lines of every `parts`-th block of a file, from block `part` on."""
    line = 1
    for number, block in enumerate(line_blocks(Path(path), name)):
        if number % parts == part:
            rows = _lines(block, line, reading)
            if number == 0 and reading.has_header:
                rows = rows.slice(1)
            rows = rows.filter(pc.fill_null(pc.not_equal(rows["text"], ""), True))
            place = {"ds": [ds] * len(rows), "source_file": [name] * len(rows)}
            yield from pa.table(
                {**place, **dict(zip(rows.column_names, rows, strict=True))}
            ).to_batches()
        line += block.count(b"\n")


def _lines(block: bytes, first_line: int, reading: Reading) -> pa.Table:
    """Every line of a block, without its line end; `text` is null where there is a problem."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + 1
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(block)]
    raw = pa.Array.from_buffers(pa.binary(), len(ends), buffers)
    problems = _problems(raw, offsets, block, reading)
    hashes = {row: hashlib.sha256(raw[row].as_py()).hexdigest() for row in problems}
    return pa.table(
        {
            "line": np.arange(first_line, first_line + len(ends)),
            "text": _text(raw, problems, reading.encoding),
            "problem": _sparse(problems, len(ends)),
            "sha256": _sparse(hashes, len(ends)),
        }
    )


def _problems(raw: pa.Array, offsets: np.ndarray, block: bytes, reading: Reading) -> dict[int, str]:
    """Reject reason of the lines that hold no readable text, by their position in the block."""
    problems: dict[int, str] = {}
    if not _decodes(block, reading.encoding):
        lines = enumerate(raw.to_pylist())
        problems |= {r: "bad_encoding" for r, line in lines if not _decodes(line, reading.encoding)}
    if b"\0" in block:
        zeros = np.flatnonzero(np.frombuffer(block, np.uint8) == 0)
        rows = np.unique(np.searchsorted(offsets, zeros, side="right") - 1)
        problems |= dict.fromkeys(rows.tolist(), "null_byte")
    too_long = np.flatnonzero(np.diff(offsets) > reading.max_record_bytes)
    return problems | dict.fromkeys(too_long.tolist(), "oversized")


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _text(raw: pa.Array, problems: dict[int, str], encoding: str) -> pa.Array:
    if problems:
        readable = np.ones(len(raw), bool)
        readable[list(problems)] = False
        raw = pc.if_else(pa.array(readable), raw, None)
    if encoding != "utf-8":
        lines = raw.to_pylist()
        raw = pa.array([None if line is None else line.decode(encoding) for line in lines])
    return pc.ascii_rtrim(raw.cast(pa.string()), "\r\n")


def _sparse(values: dict[int, str], length: int) -> pa.Array:
    """An array that is null but for `values` by position."""
    if not values:
        return pa.nulls(length, pa.string())
    return pa.array([values.get(row) for row in range(length)], pa.string())
