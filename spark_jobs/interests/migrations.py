"""From `user_interests` of a night: who moved where week by week, and how patterns are spread."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pipeline.runtime.days import shift
from spark_jobs.interests.paths import MEANINGS

CALENDAR_WEEKS = 12  # newest weeks of `migrations`, that of `ds` included


def migrations(interests: DataFrame, ds: str) -> DataFrame:
    """`migrations` of `ds`: moves between the main topics of consecutive weeks with events."""
    moves = F.expr(
        "transform(sequence(1, size(weeks) - 1), n -> struct(weeks[n] AS week, "
        "weekly_topics[n - 1] AS from_topic, weekly_topics[n] AS to_topic))"
    )
    several = interests.where(F.size("weeks") > 1)
    rows = several.select(F.inline(moves)).where(F.col("week") > shift(ds, -7 * CALENDAR_WEEKS))
    counts = rows.groupBy("week", "from_topic", "to_topic").agg(F.count("*").alias("users"))
    of_topic = F.sum("users").over(Window.partitionBy("week", "from_topic"))
    share = (F.col("users") / of_topic).cast("float")
    return counts.select(F.lit(ds).alias("ds"), "*", share.alias("share"))


def migration_patterns(interests: DataFrame, ds: str) -> DataFrame:
    """`migration_patterns` of `ds`: every pattern, including those that nobody follows."""
    declared = "pattern string, meaning string"
    names = interests.sparkSession.createDataFrame(list(MEANINGS.items()), declared)
    path = F.col("weekly_topics")
    switches = F.expr(
        "size(filter(sequence(1, size(weekly_topics) - 1), n -> weekly_topics[n] <> weekly_topics[n - 1]))"
    )
    found = (
        interests.where("pattern IS NOT NULL")
        .groupBy("pattern")
        .agg(
            F.count("*").alias("users"),
            F.avg(switches).alias("switches"),
            F.avg(F.size(F.array_distinct(path))).alias("topics"),
        )
    )
    everyone = found.select(F.coalesce(F.sum("users"), F.lit(0)).alias("everyone"))
    rows = names.join(found, "pattern", "left").fillna(0).crossJoin(everyone)
    share = (F.col("users") / F.greatest("everyone", F.lit(1))).cast("float")
    return rows.select(F.lit(ds).alias("ds"), "*", share.alias("share")).drop("everyone")
