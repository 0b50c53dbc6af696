"""What is odd about the values of a day and rejects no row: for the person who writes a source file."""

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.landing.map_source import IDS, UNREADABLE

WHOLE, FLOATING = "(^|:)[0-9]+$", "(^|:)[0-9]+[.]0+$"


def looked_at(mapped: DataFrame) -> DataFrame:
    """What `odd_values` needs of mapped rows: the ids, and the values read as NULL in `unreadable`."""
    unreadable = F.map_filter("attributes", lambda name, _: F.startswith(name, F.lit(UNREADABLE)))
    return mapped.select(*IDS, F.map_entries(unreadable).alias("unreadable"), "event_time", "problem")


def odd_values(rows: pl.LazyFrame) -> list[str]:
    """One line per oddity of the rows of `looked_at`: values read as NULL by `on_error`, and ids with and without `.0`.

    12345678 and 12345678.0 in one column are one customer for a person and two for a computer: some program has made
    floating numbers of whole ones, because one of them was missing.
    """
    unreadable = rows.select("unreadable").explode("unreadable").unnest("unreadable").drop_nulls("key")
    by_column = unreadable.group_by("key").agg(pl.len(), pl.min("value")).sort("key").collect()
    found = [
        f"{name.removeprefix(UNREADABLE)}: {number:,} values cannot be read and are NULL (on_error), for example "
        f"{example!r}"
        for name, number, example in by_column.iter_rows()
    ]
    for name in IDS:
        is_floating = pl.col(name).str.contains(FLOATING)
        whole, floating, example = (
            rows.select(
                pl.col(name).str.contains(WHOLE).sum().alias("whole"),
                is_floating.sum().alias("floating"),
                pl.col(name).filter(is_floating).min().alias("example"),
            )
            .collect()
            .row(0)
        )
        if whole and floating:
            found.append(
                f"{name}: {floating:,} ids end in .0 and {whole:,} are whole numbers, for example {example!r}; they "
                f"are different {name}s now: write regexp_replace(…, '[.]0+$', '') when they should not be"
            )
    return found
