"""Every idiom of Spark SQL is tried row by row: its value where it can be read, nothing where it raises."""

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.sources.source import LANDED
from spark_jobs.landing.strict import VALUE, Attempts

pytestmark = pytest.mark.spark

TEXTS = ("12", "2026-03-31 09:00:00", '{"a": "7", "l": [1, 2]}', "a,b")  # of the columns n, t, j, w

RIGHT = {
    "nullif(n, '')": "12",
    "nullif(n, '12')": None,
    "CASE WHEN CAST(n AS INT) BETWEEN 1 AND 20 THEN 'few' ELSE 'many' END": "few",
    "ifnull(nullif(n, '12'), 'none')": "none",
    "nvl2(n, 'is', 'not')": "is",
    "coalesce(try_cast(w AS INT), 5)": "5",
    "CASE WHEN w IN ('a', 'b') THEN w END": None,
    "if(n > 3, upper(w), lower(w))": "A,B",
    "element_at(transform(split(w, ','), x -> trim(x)), 2)": "b",
    "aggregate(transform(split('1,2', ','), x -> CAST(x AS INT)), 0, (sum, x) -> sum + x)": "3",
    "exists(split(w, ','), x -> x = 'b')": "true",
    "element_at(filter(split(w, ','), x -> x = 'c'), 1)": None,
    "split(w, ',')[7]": None,
    "get_json_object(j, '$.a')": "7",
    "from_json(j, 'a STRING, l ARRAY<INT>').l[1]": "2",
    "map('a', n)['a']": "12",
    "named_struct('a', n).a": "12",
    "to_timestamp(t)": "2026-03-31 09:00:00",
    "to_timestamp(t, 'yyyy-MM-dd HH:mm:ss') + INTERVAL 1 DAY": "2026-04-01 09:00:00",
    "timestamp_millis(CAST(n AS BIGINT) * 1000)": "1970-01-01 00:00:12",
    "date_format(to_timestamp(t), 'yyyy')": "2026",
    "date_add(to_date(t), CAST(n AS INT))": "2026-04-12",
    "CAST(n AS DECIMAL(10, 2)) / 5": "2.400000",
    "round(CAST(n AS DOUBLE) / 7, 2)": "1.71",
    "CAST(n AS INT) % 5": "2",
    "regexp_extract(t, '([0-9]+)-([0-9]+)', 2)": "03",
    "concat_ws('|', n, w)": "12|a,b",
    "split_part(w, ',', 2)": "b",
    "left(t, 4)": "2026",
    "decode(n, '12', 'twelve', 'other')": "twelve",
    "greatest(CAST(n AS INT), 3)": "12",
    "w LIKE 'a%' AND w RLIKE 'b$'": "true",
    "size(split(w, ','))": "2",
}
RAISING = (
    "CAST(w AS INT)",
    "to_timestamp(w)",
    "1 / (CAST(n AS INT) - 12)",
    "CAST(nullif(w, '') AS DOUBLE)",
    "to_date(w)",
)


def test_idioms(spark: SparkSession) -> None:
    columns = [F.lit(text).alias(name) for name, text in zip("ntjw", TEXTS, strict=True)]
    landed = F.struct(F.lit(1).alias("line")).alias(LANDED)
    rows = spark.range(1).select(*columns, landed)
    attempts = Attempts(rows)
    wanted = RIGHT | dict.fromkeys(RAISING)
    tried = {f"_{number}": attempts.tried(F.expr(sql)) for number, sql in enumerate(wanted)}
    found = rows.withColumns(tried).select(
        *[F.col(name)[VALUE].cast("string").alias(f"{name}v") for name in tried],
        *[F.col(name).isNotNull().alias(f"{name}r") for name in tried],
    )
    (row,) = found.collect()
    values = {sql: row[f"_{number}v"] for number, sql in enumerate(wanted)}
    read = {sql for number, sql in enumerate(wanted) if row[f"_{number}r"]}
    assert values == wanted
    assert read == set(RIGHT)
