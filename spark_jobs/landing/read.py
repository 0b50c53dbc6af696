"""Landed files of a source → one row per record, with the source's own columns.

Besides those columns every row carries LANDED, a struct (ds, source_file, line, text, problem, sha256), and
UNKNOWN_FIELDS, a map of the fields that the source does not declare. A column of a file may have any name but theirs.
"""

from itertools import groupby
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, MapType, StructType

from pipeline.sources.landed_file import LandedFile
from pipeline.sources.source import LANDED, TYPED_FORMATS, UNKNOWN_FIELDS, Drop
from pipeline.sources.typed_files import readable_schema
from spark_jobs.landing.decode import Reading
from spark_jobs.landing.lines import TypedReading, read_texts, read_typed

NESTED = (ArrayType, MapType, StructType)


def read_landing(
    spark: SparkSession, drop: Drop, files: list[LandedFile], max_record_bytes: int, keep_text: bool = False
) -> list[DataFrame]:
    """The records of `files`: one frame for text files, for others one per set of columns and types among them.

    `keep_text`: with the text of each record of a text file in LANDED.
    """
    if drop.format not in TYPED_FORMATS:
        rows = read_texts(spark, files, Reading(drop, max_record_bytes, keep_text))
        fields = {name: F.col(f"f{number}") for number, name in enumerate(drop.columns)}
        return [_records(rows, fields, F.col("unknown"))]
    there = sorted((file for file in files if file.size), key=lambda file: file.header)
    by_header = groupby(there, key=lambda file: file.header)
    return [_typed(spark, drop, list(group), max_record_bytes) for _, group in by_header]


def _typed(spark: SparkSession, drop: Drop, files: list[LandedFile], max_record_bytes: int) -> DataFrame:
    """Fields of Parquet and ORC files in their own types; those that are not declared as text."""
    _, schema = readable_schema(Path(files[0].path), files[0].name, drop.format)
    rows = read_typed(spark, files, TypedReading(drop.format, schema, max_record_bytes))
    columns = {name: F.col(f"f{number}") for number, name in enumerate(schema.names)}
    kinds = {name: rows.schema[f"f{number}"].dataType for number, name in enumerate(schema.names)}
    fields = {name: columns.pop(name) for name in drop.columns}
    unknown = [
        part
        for name, column in columns.items()
        for part in (F.lit(name), F.to_json(column) if isinstance(kinds[name], NESTED) else column.cast("string"))
    ]
    told = F.map_filter(F.create_map(*unknown), lambda _, value: value.isNotNull()) if unknown else F.lit(None)
    return _records(rows, fields, told.cast("map<string,string>"))


def _records(rows: DataFrame, fields: dict[str, Column], unknown: Column) -> DataFrame:
    """The fields under their names, with the place of each record."""
    return rows.select(
        F.struct("ds", "source_file", "line", "text", "problem", "sha256").alias(LANDED),
        F.when(F.col("problem").isNull(), unknown).alias(UNKNOWN_FIELDS),
        *[field.alias(name) for name, field in fields.items()],
    )
