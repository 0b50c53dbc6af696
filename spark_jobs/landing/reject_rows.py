"""Which mapped rows are not valid events, and why.

A rejected row keeps its place, its user and a reason. Its canonical columns are null, because their content cannot be
trusted; `record` shows what was understood of it.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipeline.sources.source import AHEAD_DAYS
from pipeline.tables.registry import EVENT_TYPES, ITEMLESS_EVENT_TYPES
from spark_jobs.landing.map_source import TYPES

MAX_QUANTITY = 1e9


def reject_rows(mapped: DataFrame, timezone: str, max_late_days: int, max_price: float) -> DataFrame:
    """Adds `reject_reason` (the row's problem, else the first check that fails), `known_ds` and `record`."""
    checks = _checks(timezone, max_late_days, max_price)
    failed = [F.when(failure, reason) for reason, failure in checks.items()]
    rows = mapped.withColumn("reject_reason", F.coalesce("problem", *failed))
    valid = F.col("reject_reason").isNull()
    understood = F.to_json(F.struct("evidence.*", *[n for n in TYPES if n != "user_id"]))
    return rows.select(
        *["ds", "platform", "source_file", "user_id", "reject_reason"],
        *[F.when(valid, F.col(name)).alias(name) for name in TYPES if name != "user_id"],
        F.when(valid & (F.col("event_time") >= _midnight(1, timezone)), F.date_add("ds", 1).cast("string")).alias(
            "known_ds"
        ),
        F.when(~valid, understood).alias("record"),
    )


def _checks(timezone: str, max_late_days: int, max_price: float) -> dict[str, Column]:
    """Reason → condition, in order. Days are those of the platform's zone."""
    item, kind, time = F.col("item_id"), F.col("event_type"), F.col("event_time")
    itemless = kind.isin(*ITEMLESS_EVENT_TYPES)
    bad = {name: F.col(f"unreadable.{name}") for name in TYPES}
    return {
        "bad_user_id": bad.pop("user_id"),
        "missing_user_id": F.col("user_id").isNull(),
        "bad_event_type": bad.pop("event_type") | kind.isNull() | ~kind.isin(*EVENT_TYPES),
        "bad_item_id": bad.pop("item_id"),
        "missing_item_id": item.isNull() & ~itemless,
        "bad_event_time": bad.pop("event_time") | time.isNull(),
        "event_time_in_future": time >= _midnight(1 + AHEAD_DAYS, timezone),
        "event_time_too_old": time < _midnight(-max_late_days, timezone),
        "bad_quantity": bad.pop("quantity") | ~F.col("quantity").between(0, MAX_QUANTITY) | (F.col("quantity") == 0),
        "bad_price": bad.pop("price") | ~F.col("price").between(0, max_price),
        "bad_rating": bad.pop("rating") | ~F.col("rating").between(-MAX_QUANTITY, MAX_QUANTITY),
        "bad_propensity": bad.pop("propensity") | ~F.col("propensity").between(0, 1) | (F.col("propensity") == 0),
        **{f"bad_{name}": unreadable for name, unreadable in bad.items()},
    }


def _midnight(days: int, timezone: str) -> Column:
    """The start of the platform's day `days` after the arrival day."""
    return F.to_utc_timestamp(F.date_add(F.to_date("ds"), days).cast("timestamp"), timezone)
