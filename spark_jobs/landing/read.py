"""Landed files of a source → one row per record, with the source's own columns.

Besides those columns every row carries `_landed` (ds, source_file, line, text, problem, sha256) and `_unknown`, a map
of the fields that the source does not declare.
"""

from functools import reduce
from itertools import groupby

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.runtime.errors import LandingError
from pipeline.sources.landed_file import LandedFile
from pipeline.sources.source import Drop
from pipeline.storage.suppression import ERASED
from spark_jobs.landing.lines import as_map, erased_line, read_lines, records
from spark_jobs.landing.split_lines import Reading

CSV = {"quote": '"', "escape": '"', "columnNameOfCorruptRecord": "_corrupt", "maxColumns": "2000"}
JSON = {"allowNonNumericNumbers": "false", "allowSingleQuotes": "false"}


def read_landing(spark: SparkSession, drop: Drop, files: list[LandedFile], max_record_bytes: int) -> list[DataFrame]:
    """The records of `files`, one frame per header that occurs among them (JSON lines: one)."""
    by_header = groupby(sorted(files, key=lambda file: file.header), key=lambda file: file.header)
    groups = [(header, list(group)) for header, group in by_header]
    if drop.format == "parquet":
        return [_parquet(spark, drop, group, max_record_bytes) for _, group in groups]
    reading = Reading(drop.format == "csv", drop.encoding, max_record_bytes)
    read = _csv if drop.format == "csv" else _jsonl
    return [read(read_lines(spark, group, reading), drop, header) for header, group in groups]


def _jsonl(lines: DataFrame, drop: Drop, header: tuple[str, ...]) -> DataFrame:
    """Fields of JSON objects as text; what is nested keeps its JSON text.

    Parsed as a list of one: so text behind the object is seen as the damage that it is.
    """
    listed = F.concat(F.lit("["), "text", F.lit("]"))
    parsed = F.from_json(listed, "array<map<string,string>>", JSON)
    one = F.when(F.size("_parsed") == 1, F.col("_parsed")[0])
    rows = lines.withColumn("_parsed", parsed).withColumn("_fields", one)
    zero = F.when(F.contains("text", F.lit("\\u0000")), "null_byte")
    broken = F.col("_fields").isNull()
    problem = F.coalesce("problem", erased_line(), zero, F.when(broken, "malformed"))
    fields = {column: F.col("_fields")[column] for column in drop.columns}
    unknown = F.map_filter("_fields", lambda name, value: ~name.isin(*drop.columns))
    return records(rows, problem, fields, unknown)


def _csv(lines: DataFrame, drop: Drop, header: tuple[str, ...]) -> DataFrame:
    """Fields of CSV lines (RFC 4180, one record per line); an empty field is NULL."""
    names = [f"_{position}" for position in range(len(header))]
    schema = ", ".join(f"{name} string" for name in [*names, "_corrupt"])
    rows = lines.withColumn("_fields", F.from_csv("text", schema, CSV))
    quotes = F.length("text") - F.length(F.replace("text", F.lit('"'), F.lit("")))
    broken = F.col("_fields._corrupt").isNotNull() | (quotes % 2 == 1)
    problem = F.coalesce("problem", erased_line(), F.when(broken, "malformed"))
    found = {column: F.col("_fields")[name] for column, name in zip(header, names, strict=True)}
    fields = {column: found.pop(column) for column in drop.columns}
    return records(rows, problem, fields, as_map(found))


def _parquet(spark: SparkSession, drop: Drop, files: list[LandedFile], max_record_bytes: int) -> DataFrame:
    """Fields of Parquet files in their own types."""
    try:
        rows = spark.read.parquet(*[file.path for file in files])
    except AnalysisException as error:
        reason = str(error).splitlines()[0]
        raise LandingError(f"{files[0].name}: Spark cannot read its columns: {reason}") from None
    texts = [F.octet_length(f"`{n}`") for n, kind in rows.dtypes if kind in ("string", "binary")]
    size = sum((F.coalesce(text, F.lit(0)) for text in texts), F.lit(0))
    found = {name: F.col(f"`{name}`") for name in rows.columns}
    fields = {column: found.pop(column) for column in drop.columns}
    unknown = as_map({name: field.cast("string") for name, field in found.items()})
    placed = rows.withColumns(
        {
            "ds": _of_file({file.path: file.ds for file in files}),
            "source_file": _of_file({file.path: file.name for file in files}),
            "line": F.col("_metadata.row_index") + 1,
            "text": F.lit(None).cast("string"),
            "sha256": F.lit(None).cast("string"),
        }
    )
    nothing = reduce(Column.__and__, [F.col(f"`{name}`").isNull() for name in rows.columns])
    problem = F.when(nothing, ERASED).when(size > max_record_bytes, "oversized")
    return records(placed, problem, fields, unknown)


def _of_file(values: dict[str, str]) -> Column:
    """The value of the file that a row was read from. Spark knows it as an escaped URI."""
    path = F.regexp_replace(F.col("_metadata.file_path"), r"\+", "%2B")
    path = F.regexp_replace(F.url_decode(path), "^file:/+", "/")
    return F.create_map(*[F.lit(part) for pair in values.items() for part in pair])[path]
