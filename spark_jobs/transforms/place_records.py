"""Fields of landed records → rows with their place, whatever format they landed in."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipeline.storage.suppression import ERASED


def records(
    rows: DataFrame, problem: Column, fields: dict[str, Column], unknown: Column
) -> DataFrame:
    """The fields with their place. Of a record with a problem nothing is taken for a field."""
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
    """The mark that erasing a person leaves in the place of a line."""
    return F.when(F.col("text") == ERASED, ERASED)
