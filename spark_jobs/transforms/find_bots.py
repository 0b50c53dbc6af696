"""Which users browse faster or more than a person can.

A bot is a user of a platform with more than `per_day` browsing events (impressions, views,
searches) on one arrival day, or more than `per_minute` of one clock minute among them. All rows of
that user, platform and arrival day are a bot's.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

BROWSING = ("impression", "view", "search")


def find_bots(rows: DataFrame, per_day: int, per_minute: int) -> DataFrame:
    """Adds `is_bot`. Duplicates do not count: a file delivered twice makes nobody a bot."""
    browsing = (F.col("event_type").isin(*BROWSING) & ~F.col("is_duplicate")).cast("int")
    day = ("user_id", "platform", "ds")
    minute = Window.partitionBy(*day, "_minute")  # first: its order serves the day's window too
    counted = rows.withColumn("_minute", F.date_trunc("minute", "event_time")).withColumn(
        "_in_minute", F.sum(browsing).over(minute)
    )
    whole_day = Window.partitionBy(*day)
    too_many = F.sum(browsing).over(whole_day) > per_day
    too_fast = F.max("_in_minute").over(whole_day) > per_minute
    return counted.withColumn("is_bot", too_many | too_fast).drop("_minute", "_in_minute")
