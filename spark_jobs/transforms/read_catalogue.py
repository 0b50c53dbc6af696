"""Catalogue drops as landed, to rows of items. A row that cannot be read refuses the day."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.errors import LandingError
from pipeline.source_file import ITEMS, Drop, Items
from spark_jobs.transforms.catalogue_lines import catalogue_lines

LINES = pa.schema(
    {
        "source_file": pa.string(),
        "line": pa.int64(),
        "fields": pa.map_(pa.string(), pa.string()),
        "problem": pa.string(),
    }
)
LINES_DDL = "source_file string, line long, fields map<string,string>, problem string"
BATCH_LINES = 5_000


def read_catalogue(
    spark: SparkSession, platform: str, items: Items, files: dict[str, str]
) -> DataFrame:
    """The items of `files` (path -> ds). Raises LandingError naming file and line."""
    read = _parquet_rows if items.format == "parquet" else _text_rows
    rows = read(spark, items, list(files)).select(
        "source_file",
        "line",
        "problem",
        _day(files).alias("ds"),
        F.lit(platform).alias("platform"),
        F.expr(items.expressions["item_id"]).cast("string").alias("raw_id"),
        *[_attribute(items, name) for name in ITEMS],
    )
    rows = rows.persist()  # looked at twice: for what cannot be read, then for what can
    _refuse(rows)
    item_id = F.concat(F.lit(f"{platform}:"), "raw_id").alias("item_id")
    return rows.select("ds", "platform", item_id, *ITEMS, "source_file", "line")


def _refuse(rows: DataFrame) -> None:
    nameless = F.when(F.coalesce("raw_id", F.lit("")) == "", "no item_id")
    found = rows.withColumn("problem", F.coalesce("problem", nameless)).where("problem is not null")
    for row in found.orderBy("source_file", "line").limit(1).collect():
        raise LandingError(
            f"{row.source_file}, line {row.line}: expected a catalogue row, found {row.problem}; "
            "correct the file and run the day again"
        )


def _attribute(items: Items, name: str) -> Column:
    """An attribute; empty text and a price that is no number from 0 tell nothing."""
    found = F.expr(items.expressions.get(name, "NULL"))
    if name == "price":
        price = found.cast("double")
        return F.when((price >= 0) & (price < float("inf")), price).alias(name)
    return F.nullif(F.trim(found.cast("string")), F.lit("")).alias(name)


def _day(files: dict[str, str]) -> Column:
    pairs = [F.lit(text) for pair in files.items() for text in pair]
    return F.create_map(*pairs)[F.col("source_file")]


def _text_rows(spark: SparkSession, drop: Drop, files: list[str]) -> DataFrame:
    paths = spark.createDataFrame([(path,) for path in files], "path string")

    def parse(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for path in batch["path"].to_pylist():
                yield from _batches(path, drop)

    rows = paths.repartition(min(len(files), 64)).mapInArrow(parse, LINES_DDL)
    named = [F.col("fields")[name].alias(name) for name in drop.columns]
    return rows.select("source_file", "line", "problem", *named)


def _batches(path: str, drop: Drop) -> Iterator[pa.RecordBatch]:
    lines = catalogue_lines(Path(path), drop)
    while chunk := list(islice(lines, BATCH_LINES)):
        numbers, fields, problems = zip(*chunk, strict=True)
        maps = [list(found.items()) for found in fields]
        columns = [[path] * len(chunk), list(numbers), maps, list(problems)]
        yield pa.RecordBatch.from_arrays(
            [pa.array(c, kind) for c, kind in zip(columns, LINES.types, strict=True)], schema=LINES
        )


def _parquet_rows(spark: SparkSession, drop: Drop, files: list[str]) -> DataFrame:
    rows = spark.read.parquet(*files)
    missing = sorted(set(drop.columns) - set(rows.columns))
    if missing:
        raise LandingError(
            f"{files[0]}: expected columns {', '.join(drop.columns)}, missing are "
            f"{', '.join(missing)}; correct the file or its source"
        )
    path = F.regexp_replace(F.url_decode(F.col("_metadata.file_path")), "^file:(//)?", "")
    line = F.col("_metadata.row_index") + 1
    problem = F.lit(None).cast("string").alias("problem")
    return rows.select(path.alias("source_file"), line.alias("line"), problem, *drop.columns)
