"""Which valid rows repeat one that landed before: exactly, or a moment apart.

The rule looks at the row just before in a fixed order, within `dedup_days` arrival days. So a day's
answer depends on nothing but these days, and is the same in a range load and day by day; and a
later arrival never turns an earlier row into a duplicate.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

PLACE = ("data_file", "data_row")  # the place of a row, in the order in which it was read
SAME_DEED = ("platform", "item_id", "event_type", "quantity", "price", "query")


def find_duplicates(rows: DataFrame, dedup_days: int, near_seconds: dict[str, float]) -> DataFrame:
    """Adds `is_duplicate`. `near_seconds` gives the span of near duplicates by platform.

    Exact: the same event_id. Near: the same user, platform, item, type, quantity, price and query
    at most `near_seconds` from the row before it, by arrival day, then time. Rows that are equal in
    all of this are ordered by PLACE: were the two windows to differ, each would take another copy.
    """
    by_user = rows.repartition("user_id")  # every window below is within a user: one shuffle
    same = Window.partitionBy("user_id", "event_id").orderBy("ds", *PLACE)
    repeated = _recent(F.lag("ds").over(same), dedup_days)
    near = {platform: seconds for platform, seconds in near_seconds.items() if seconds > 0}
    if near:
        repeated = repeated | _is_near(near, dedup_days)
    return by_user.withColumn("is_duplicate", repeated)


def _is_near(near_seconds: dict[str, float], dedup_days: int) -> Column:
    order = Window.partitionBy("user_id", *SAME_DEED).orderBy(
        "ds", "event_time", "event_id", *PLACE
    )
    limits = F.create_map(
        *[F.lit(part) for name, seconds in near_seconds.items() for part in (name, float(seconds))]
    )
    limit = F.coalesce(limits[F.col("platform")], F.lit(-1.0)) * 1_000_000
    apart = F.unix_micros("event_time") - F.lag(F.unix_micros("event_time")).over(order)
    recent = _recent(F.lag("ds").over(order), dedup_days)
    return recent & (F.coalesce(F.abs(apart), F.lit(0)) <= limit)


def _recent(before: Column, dedup_days: int) -> Column:
    """Whether the row before exists and arrived within the days in which duplicates are sought."""
    days = F.datediff(F.col("ds"), before)
    return F.coalesce(days < dedup_days, F.lit(False))
