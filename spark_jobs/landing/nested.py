"""Records that hold a list → one row per element, where the source has `rows`.

Every row keeps the record's own columns. The element is the column `element`, and what holds its list is
`element_parent`; their fields are reached with a dot. An element that is equal to an earlier one of its record, in all
that the source declares, gets the attribute `repeat`: so both are events, and a second delivery gives the same ids.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, StringType, StructField, StructType

from pipeline.runtime.errors import LandingError, SourceError
from pipeline.runtime.settings import Settings
from pipeline.sources.elements import EMPTY, MISSING, NULL, VALUE, elements, path_parts
from pipeline.sources.landed_file import LandedFile
from pipeline.sources.source import LANDED, RESERVED, Source
from spark_jobs.landing.inspect import Landed
from spark_jobs.landing.map_source import TYPES, UNKNOWN, map_source
from spark_jobs.landing.read import read_landing

REPEAT = "repeat"
POSITION, FOUND_ROW = f"{RESERVED}position", f"{RESERVED}found"
FIELDS = "map<string,string>"
FOUND = f"array<struct<problem:string,levels:array<{FIELDS}>>>"


def map_records(rows: DataFrame, source: Source) -> DataFrame:
    """`map_source`, one row per element where the source has `rows`. Raises SourceError like it."""
    if source.delivery.rows is None:
        return map_source(rows, source)
    return _told_apart(map_source(unnested(rows, source), source))


def unnested(rows: DataFrame, source: Source) -> DataFrame:
    """Records (see `read_landing`) → one row per element, in the order of the list.

    A record whose list is missing, empty or none stays one row, with a problem; with `rows_optional` the first two are
    none. The first row of a record carries its text. Raises SourceError where a typed column holds no list at the path.
    """
    place = F.col(f"`{LANDED}`")
    found, whole = _found(rows, source), place["problem"].isNull()
    kept = [F.col(f"`{name}`") for name in rows.columns if name != LANDED]
    listed = rows.select(place, *kept, F.posexplode_outer(F.when(whole, found)).alias(POSITION, FOUND_ROW))
    row, position = F.col(f"`{FOUND_ROW}`"), F.col(f"`{POSITION}`")
    allowed = (MISSING, EMPTY) if source.delivery.rows_optional else ()
    names = [name for name in rows.select(f"`{LANDED}`.*").columns if name not in ("text", "problem")]
    landed = F.struct(
        *[place[name].alias(name) for name in names],
        F.when(F.coalesce(position, F.lit(0)) == 0, place["text"]).alias("text"),
        F.coalesce(place["problem"], F.when(~row["problem"].isin(*allowed), row["problem"])).alias("problem"),
    )
    levels = [row[f"level_{level}"].alias(name) for level, name in enumerate(source.delivery.element_names)]
    return listed.select(landed.alias(LANDED), *kept, *levels)


def with_first_element(rows: DataFrame, source: Source) -> DataFrame:
    """The records as they are, with the columns of their first element, where the source has `rows`."""
    if source.delivery.rows is None:
        return rows
    first = _found(rows, source)[0]
    return rows.withColumns({name: first[f"level_{level}"] for level, name in enumerate(source.delivery.element_names)})


def with_elements_counted(spark: SparkSession, landed: Landed, settings: Settings) -> Landed:
    """The files, with the rows that their records are as `records`, where a source has `rows`.

    Counted by a pass of its own, so that the audit has something to hold the staged rows against. Raises LandingError
    where that pass sees other records than the look at the file.
    """
    return [
        (source, _counted(spark, source, files, settings) if files and source.delivery.rows else files)
        for source, files in landed
    ]


def _counted(spark: SparkSession, source: Source, files: list[LandedFile], settings: Settings) -> list[LandedFile]:
    rows: dict[str, tuple[int, int]] = {}
    for frame in read_landing(spark, source.delivery, files, settings.max_record_bytes):
        place = F.col(f"`{LANDED}`")
        named = (place["source_file"].alias("file"), place["line"].alias("line"))
        by_file = unnested(frame, source).select(*named).groupBy("file")
        counts = by_file.agg(F.count("*").alias("rows"), F.count_distinct("line").alias("records"))
        rows |= {row["file"]: (row["rows"], row["records"]) for row in counts.collect()}
    for file in files:
        seen = rows.get(file.name, (0, 0))[1]
        if seen != file.records:
            raise LandingError(
                f"{file.name}: expected {file.records} records, found {seen} while its lists were counted; run again"
            )
    return [replace(file, records=rows.get(file.name, (0, 0))[0]) for file in files]


def _found(rows: DataFrame, source: Source) -> Column:
    """The rows of a record, never none."""
    first, *rest = path_parts(source.delivery.rows or "")
    return _leaves(F.col(f"`{first}`"), rows.schema[first].dataType, rest, (), source)


def _leaves(value: Column, kind: DataType, rest: Sequence[str], above: tuple[Column, ...], source: Source) -> Column:
    """The rows below a value, as an array of structs `problem, level_0, …`; what holds them is `above`."""
    if isinstance(kind, StringType):
        return _from_json(value, list(rest), above, source)
    if isinstance(kind, StructType) and rest:
        field = _field(kind, rest[0], source)
        inner = _leaves(value[field.name], field.dataType, rest[1:], (*above, value), source)
        return F.when(value.isNotNull(), inner).otherwise(F.array(_like(inner, above, source, MISSING)))
    if isinstance(kind, ArrayType):
        return _from_list(value, kind, rest, above, source)
    raise _no_list(source, kind)


def _from_list(
    value: Column, kind: ArrayType, rest: Sequence[str], above: tuple[Column, ...], source: Source
) -> Column:
    element = kind.elementType
    if rest and isinstance(element, StructType):
        field = _field(element, rest[0], source)
        if isinstance(field.dataType, StringType):
            raise _no_list(source, field.dataType)  # Spark calls no Python inside of `transform`

        def below(it: Column) -> Column:
            return _leaves(it[field.name], field.dataType, rest[1:], (*above, it), source)

        found = F.flatten(F.transform(value, below))
    elif not rest:

        def below(it: Column) -> Column:
            last = it if isinstance(element, StructType) else F.struct(it.alias(VALUE))
            return _row(F.when(it.isNull(), NULL), (*above, last))

        found = F.transform(value, below)
    else:
        raise _no_list(source, element)
    return (
        F.when(value.isNull(), F.array(_like(found, above, source, MISSING)))
        .when(F.size(value) == 0, F.array(_like(found, above, source, EMPTY)))
        .otherwise(found)
    )


def _like(found: Column, above: tuple[Column, ...], source: Source, problem: str) -> Column:
    """A row with a problem, of the type of those in `found`: what was not reached is null."""
    nothing = F.get(F.slice(found, 1, 0), F.lit(0))
    reached = range(len(above), len(source.delivery.element_names))
    return _row(F.lit(problem), (*above, *[nothing[f"level_{level}"] for level in reached]))


def _row(problem: Column, levels: Sequence[Column]) -> Column:
    named = [level.alias(f"level_{number}") for number, level in enumerate(levels)]
    return F.struct(problem.cast("string").alias("problem"), *named)


def _from_json(value: Column, rest: list[str], above: tuple[Column, ...], source: Source) -> Column:
    """The rows of a JSON text; each level is a map of texts."""
    separator = source.delivery.rows_separator

    @F.arrow_udf(FOUND)  # type: ignore[call-overload]
    def found(texts: pa.Array) -> pa.Array:
        rows = [
            [
                {"problem": it.problem, "levels": [list(level.items()) for level in it.levels]}
                for it in elements(text, rest, separator)
            ]
            for text in texts.to_pylist()
        ]
        level = pa.map_(pa.string(), pa.string())
        return pa.array(rows, pa.list_(pa.struct({"problem": pa.string(), "levels": pa.list_(level)})))

    def row(it: Column) -> Column:
        levels = [F.get(it["levels"], F.lit(number)) for number in range(len(rest) + 1)]
        return _row(it["problem"], (*above, *levels))

    return F.transform(found(value), row)


def _field(kind: StructType, name: str, source: Source) -> StructField:
    for field in kind.fields:
        if field.name == name:
            return field
    raise SourceError(
        f"{source.file}: delivery.rows = {source.delivery.rows!r}: expected the field {name}, found "
        f"{', '.join(kind.names)[:80]}; correct it"
    )


def _no_list(source: Source, kind: DataType) -> SourceError:
    return SourceError(
        f"{source.file}: delivery.rows = {source.delivery.rows!r}: expected a path to a list, or to its JSON text, "
        f"found {kind.simpleString()[:80]}; correct it"
    )


def _told_apart(mapped: DataFrame) -> DataFrame:
    """Adds `repeat` = 2, 3, … to equal elements of a record, and the element's number to `evidence`."""
    declared = F.map_filter("attributes", lambda name, _: ~F.startswith(name, F.lit(UNKNOWN)))
    content: list[Column | str] = [
        *[name for name in TYPES if name != "attributes"],
        F.array_sort(F.map_entries(declared)).alias("_declared"),
    ]
    place = [F.col("source_file"), F.col("evidence.line").alias("line")]
    keyed = mapped.withColumns(
        {"_record": F.to_json(F.struct(*place)), "_content": F.sha2(F.to_json(F.struct(*content)), 256)}
    )
    schema = keyed.withColumns({"_element": F.lit(0).cast("int"), "_repeat": F.lit(0).cast("int")}).schema
    numbered = keyed.mapInArrow(number_elements, schema)
    repeat = F.create_map(F.lit(REPEAT), F.col("_repeat").cast("string"))
    attributes = F.when(F.col("_repeat") == 1, F.col("attributes")).otherwise(
        F.map_concat(F.coalesce("attributes", F.create_map().cast(FIELDS)), repeat)
    )
    evidence = F.struct("evidence.*", F.col("_element").alias("element"))
    return numbered.withColumns({"attributes": attributes, "evidence": evidence}).select(*mapped.columns)


def number_elements(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Adds `_element`, the place of a row in its `_record`, and `_repeat`, its place among those of equal `_content`.

    The rows of a record follow one another; the last record of a batch waits for the next, which may go on with it.
    """
    held: pa.Table | None = None
    for batch in batches:
        rows = pa.Table.from_batches([batch])
        rows = rows if held is None else pa.concat_tables([held, rows])
        records = pl.from_arrow(rows["_record"]).to_numpy()
        whole = len(records)
        while whole and records[whole - 1] == records[-1]:
            whole -= 1
        yield from _numbered(rows.slice(0, whole))
        held = rows.slice(whole)
    if held is not None:
        yield from _numbered(held)


def _numbered(rows: pa.Table) -> list[pa.RecordBatch]:
    keys = pl.DataFrame({name: pl.from_arrow(rows[name]) for name in ("_record", "_content")})
    count = pl.int_range(1, pl.len() + 1, dtype=pl.Int32)
    numbers = keys.select(_element=count.over("_record"), _repeat=count.over("_record", "_content")).to_arrow()
    for name in ("_element", "_repeat"):
        rows = rows.append_column(name, numbers[name])
    return rows.combine_chunks().to_batches()
