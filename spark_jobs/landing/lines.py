"""Read landed text files as lines, in Python workers, through Arrow.

Spark's own readers drop what they cannot read or stop at it. Here every line that is not empty becomes a row, with a
`problem` where its bytes are no text that a record could be in.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.sources.landed_file import LandedFile, line_blocks
from pipeline.storage.suppression import ERASED
from spark_jobs.landing.split_lines import Reading, split_lines

LINE = "line long, text string, problem string, sha256 string"
PLACED_LINE = f"ds string, source_file string, {LINE}"
PART_BYTES = 8 << 20  # a file of more bytes is read by several tasks


def read_lines(spark: SparkSession, files: list[LandedFile], reading: Reading) -> DataFrame:
    """One row per line that is not empty: its place, its text, or a problem and a hash.

    A task that shares a file decompresses all of it and keeps every n-th block: for gzip this is cheaper than a shuffle
    of the lines.
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


def _read_part(path: str, name: str, ds: str, part: int, parts: int, reading: Reading) -> Iterator[pa.RecordBatch]:
    """The lines of every `parts`-th block of a file, from block `part` on."""
    line = 1
    for number, block in enumerate(line_blocks(Path(path), name)):
        if number % parts == part:
            rows = split_lines(block, line, reading)
            if number == 0 and reading.has_header:
                rows = rows.slice(1)
            rows = rows.filter(pc.fill_null(pc.not_equal(rows["text"], ""), True))
            place = {"ds": [ds] * len(rows), "source_file": [name] * len(rows)}
            yield from pa.table({**place, **dict(zip(rows.column_names, rows, strict=True))}).to_batches()
        line += block.count(b"\n")


def records(rows: DataFrame, problem: Column, fields: dict[str, Column], unknown: Column) -> DataFrame:
    """The fields with their place. A record with a problem gives no fields."""
    whole = F.col("_problem").isNull()
    sha256 = F.coalesce("sha256", F.when(~whole, F.sha2("text", 256)))
    landed = F.struct(
        *["ds", "source_file", "line", "text"],
        F.col("_problem").alias("problem"),
        sha256.alias("sha256"),
    )
    told = F.map_filter(unknown, lambda _, value: value.isNotNull())
    return rows.withColumn("_problem", problem).select(
        landed.alias("_landed"),
        F.when(whole, told).alias("_unknown"),
        *[F.when(whole, field).alias(name) for name, field in fields.items()],
    )


def as_map(fields: dict[str, Column]) -> Column:
    pairs = [part for name, field in fields.items() for part in (F.lit(name), field)]
    return F.create_map(*pairs) if pairs else F.lit(None).cast("map<string,string>")


def erased_line() -> Column:
    """The mark that replaces a line when a person is erased."""
    return F.when(F.col("text") == ERASED, ERASED)
