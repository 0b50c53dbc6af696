"""Load the Java classes that most jobs use; `python -m spark_jobs.class_archive` archives them."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pipeline.runtime.settings import Settings
from spark_jobs.engine.session import open_session

COLUMNS = "id long, text string, price double"
LINES = [(1, '[{"user": "a", "day": "2026-01-01"}]', 1.5), (2, "b,2026-01-02 10:00:00", None)]


def main() -> None:
    """Computes nothing of interest, in a temporary folder."""
    with TemporaryDirectory() as folder:
        spark = open_session(Settings(home=Path(folder)), "Load classes")  # no home: there may be none yet
        path = f"{folder}/rows"
        spark.createDataFrame(LINES, COLUMNS).write.parquet(path)
        rows = parsed(spark.read.schema(COLUMNS).parquet(path).repartition("id")).persist()
        grouped = summed(rows)
        grouped.mapInArrow(unchanged, grouped.schema).toArrow()
        rows.join(grouped, "user", "left").unionByName(rows, allowMissingColumns=True).collect()


def parsed(rows: DataFrame) -> DataFrame:
    """Fields of JSON and CSV, times and hashes, over a window."""
    json = F.from_json("text", "array<map<string,string>>")[0]
    csv = F.from_csv("text", "user string, time string")
    user = F.coalesce(json["user"], csv["user"])
    newest = Window.partitionBy("user").orderBy(F.desc("time"), "id")
    return rows.withColumns(
        {
            "user": F.sha2(F.concat_ws("|", user, F.lit("x")), 256),
            "time": F.to_utc_timestamp(F.to_timestamp_ntz(csv["time"]).cast("timestamp"), "CET"),
            "fields": F.map_filter(json, lambda _, value: value.isNotNull()),
            "problem": F.when(F.expr("text RLIKE '[0-9]+'"), "digits"),
        }
    ).withColumn("number", F.row_number().over(newest))


def summed(rows: DataFrame) -> DataFrame:
    """Counts, lists and latest values by user."""
    return rows.groupBy("user").agg(
        F.count("*").alias("rows"),
        F.sum("price").alias("paid"),
        F.max_by("text", "time").alias("latest"),
        F.countDistinct("text").alias("texts"),
        F.collect_list(F.struct("id", "time")).alias("events"),
    )


def unchanged(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from batches


if __name__ == "__main__":
    main()
