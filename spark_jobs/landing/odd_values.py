"""What is odd about the values of a day and rejects no row: for the person who writes a source file."""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_jobs.landing.map_source import IDS, UNREADABLE

WHOLE, FLOATING = "(^|:)[0-9]+$", "(^|:)[0-9]+[.]0+$"


def odd_values(mapped: list[DataFrame]) -> list[str]:
    """One line per oddity of mapped rows: values read as NULL by `on_error`, and ids with and without `.0`.

    12345678 and 12345678.0 in one column are one customer for a person and two for a computer: some program has made
    floating numbers of whole ones, because one of them was missing.
    """
    rows = reduce(DataFrame.unionByName, [it.select(*IDS, "attributes") for it in mapped])
    unreadable = F.map_filter("attributes", lambda name, _: F.startswith(name, F.lit(UNREADABLE)))
    by_column = rows.select(F.explode(unreadable)).groupBy("key").agg(F.count("*"), F.min("value")).orderBy("key")
    found = [
        f"{name.removeprefix(UNREADABLE)}: {number:,} values cannot be read and are NULL (on_error), for example "
        f"{example!r}"
        for name, number, example in by_column.collect()
    ]
    counts = rows.agg(*[count for name in IDS for count in _forms(name)]).first()
    assert counts is not None
    for name in IDS:
        whole, floating, example = (counts[f"{name}.{form}"] for form in ("whole", "floating", "example"))
        if whole and floating:
            found.append(
                f"{name}: {floating:,} ids end in .0 and {whole:,} are whole numbers, for example {example!r}; they "
                f"are different {name}s now: write regexp_replace(…, '[.]0+$', '') when they should not be"
            )
    return found


def _forms(name: str) -> list[Column]:
    floating = F.col(name).rlike(FLOATING)
    return [
        F.count_if(F.col(name).rlike(WHOLE)).alias(f"{name}.whole"),
        F.count_if(floating).alias(f"{name}.floating"),
        F.min(F.when(floating, F.col(name))).alias(f"{name}.example"),
    ]
