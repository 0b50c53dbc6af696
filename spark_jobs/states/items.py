"""From what each day says about items to the catalogue of each day.

The newest value that is known wins, attribute by attribute. Within a day the catalogue drop wins over event rows; of
several event rows the most frequent text (of equals the first by text) and the latest price; of several rows of a drop
the last.
"""

from functools import partial

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.sources.source import ITEMS as ATTRIBUTES
from pipeline.tables.registry import ITEMS
from spark_jobs.engine.kernels import map_groups

PAST, EVENT_ROWS, DROP = 0, 1, 2  # in the order in which they overrule one another
TEXTS = ("title", "category", "brand", "image_path")
KEY = ("item_id", "ds")


def merge_items(past: DataFrame, seen: DataFrame, drops: list[DataFrame], days: list[str]) -> DataFrame:
    """`items` of each of `days`: `past` (an earlier day, or no rows) and what was said since."""
    rows = past.withColumn("origin", F.lit(PAST))
    for told, origin in [(seen, EVENT_ROWS), *[(drop, DROP) for drop in drops]]:
        rows = rows.unionByName(told.withColumn("origin", F.lit(origin)), allowMissingColumns=True)
    return map_groups(rows, "item_id", partial(catalogue, days=days), ITEMS.schema)


def seen_items(events: DataFrame, raw_events: DataFrame) -> DataFrame:
    """What event rows say, by item and day. Only items of valid events count as seen."""
    latest = F.when(F.col("price").isNotNull(), F.struct("event_time", "event_id"))
    named = events.where("item_id is not null").groupBy("platform", *KEY)
    seen = named.agg(F.max_by("price", latest).alias("price"))
    told = [F.mode(f"item_{text}", deterministic=True).alias(text) for text in TEXTS]
    silent = " and ".join(f"item_{text} is null" for text in TEXTS)
    texts = raw_events.where(f"reject_reason is null and not ({silent})").groupBy(*KEY).agg(*told)
    return seen.join(texts, list(KEY), "left")


def last_of_day(drop: DataFrame) -> DataFrame:
    """One row per item and day of a drop: of each attribute, the last line that has it."""
    place = F.struct("source_file", "line")
    last = [F.max_by(name, F.when(F.col(name).isNotNull(), place)) for name in ATTRIBUTES]
    named = [column.alias(name) for column, name in zip(last, ATTRIBUTES, strict=True)]
    return drop.groupBy("platform", *KEY).agg(*named)


def catalogue(rows: pl.DataFrame, days: list[str]) -> pl.DataFrame:
    """The catalogue as of each of `days`, from what `rows` say about items, by day and item."""
    told = rows.sort(*KEY, "origin")
    known = told.with_columns(pl.col(*ATTRIBUTES).forward_fill().over("item_id"))
    ends = known.unique(KEY, keep="last", maintain_order=True)
    states = ends.with_columns(
        first_ds=pl.coalesce("first_ds", "ds").first().over("item_id"),
        updated_ds=pl.coalesce("updated_ds", _changed_on()).forward_fill().over("item_id"),
    )
    return pl.concat(
        [
            states.filter(pl.col("ds") <= day)
            .unique("item_id", keep="last", maintain_order=True)
            .with_columns(ds=pl.lit(day))
            for day in days
        ]
    )


def _changed_on() -> pl.Expr:
    """The row's day where an attribute differs from the item's row before, else null."""
    changes = [pl.col(name).ne_missing(pl.col(name).shift().over("item_id")) for name in ATTRIBUTES]
    new = pl.int_range(pl.len()).over("item_id") == 0
    return pl.when(pl.any_horizontal(new, *changes)).then("ds")
