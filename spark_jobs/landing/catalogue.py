"""Landed catalogue drops → rows of items. One unreadable row and the day is refused.

An unreadable event is one event less, and is kept with its reason. An unreadable item would keep its old title and
price without anyone noticing.
"""

from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.runtime.errors import LandingError
from pipeline.sources.landed_file import LandedFile
from pipeline.sources.source import ITEMS, LANDED, RESERVED, Items, Source
from spark_jobs.landing.map_source import checked_types
from spark_jobs.landing.read import read_landing
from spark_jobs.landing.strict import VALUE, Attempts


def read_catalogue(
    spark: SparkSession, source: Source, items: Items, files: list[LandedFile], max_bytes: int
) -> DataFrame:
    """One row per line of `files`: ds, platform, item_id, attributes, source_file, line.

    Raises LandingError naming file and line of the first row that is no item, SourceError for an expression that cannot
    be evaluated.
    """
    frames = read_landing(spark, items, files, max_bytes)
    checked_types(frames[0], source, {f"items.{key}": sql for key, sql in items.expressions.items()})
    rows = reduce(DataFrame.unionByName, [_mapped(rows, source, items) for rows in frames])
    rows = rows.where("problem is distinct from 'padding'")  # the empty rows of a spreadsheet
    rows = rows.persist()  # used twice: for what cannot be read, then for what can
    _refuse(rows.where("problem is not null"))
    return rows.drop("problem")


def _mapped(rows: DataFrame, source: Source, items: Items) -> DataFrame:
    attempts = Attempts(rows)
    tried = {
        f"{RESERVED}{name}": attempts.tried(F.expr(sql).cast("string"), plain=True)
        if name == "item_id"
        else attempts.lenient(F.expr(sql))
        for name, sql in items.expressions.items()
    }
    raised = [
        F.when(F.col(f"`{name}`").isNull(), f"a {name.removeprefix(RESERVED)} that cannot be read") for name in tried
    ]
    item_id = F.concat(F.lit(f"{source.platform}:"), F.nullif(F.col(f"`{RESERVED}item_id`")[VALUE], F.lit("")))
    return rows.withColumns(tried).select(
        F.col(f"`{LANDED}`.ds").alias("ds"),
        F.lit(source.platform).alias("platform"),
        item_id.alias("item_id"),
        *[_attribute(items, name) for name in ITEMS],
        F.col(f"`{LANDED}`.source_file").alias("source_file"),
        F.col(f"`{LANDED}`.line").alias("line"),
        F.coalesce(f"`{LANDED}`.problem", *raised, F.when(item_id.isNull(), "no item_id")).alias("problem"),
    )


def _attribute(items: Items, name: str) -> Column:
    """An attribute; an empty text, or a price that is not a number of at least 0, is null."""
    found = F.col(f"`{RESERVED}{name}`")[VALUE] if name in items.expressions else F.lit(None)
    if name == "price":
        price = found.cast("double")
        return F.when((price >= 0) & (price < float("inf")), price).alias(name)
    return F.nullif(F.trim(found.cast("string")), F.lit("")).alias(name)


def _refuse(rows: DataFrame) -> None:
    for row in rows.orderBy("source_file", "line").limit(1).collect():
        raise LandingError(
            f"{row.source_file}, line {row.line}: expected an item of the catalogue, found "
            f"{row.problem}; deliver the file again"
        )
