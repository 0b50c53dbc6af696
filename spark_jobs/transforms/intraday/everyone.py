"""All histories as the night would have them, if nothing more landed.

Lazy and made of plain expressions, so that of the base night Spark reads the users of a sample.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipeline.runtime.days import shift

STATE = ("user_id", "events", "daily")


def everyone(base: DataFrame, today: DataFrame, ds: str, active_days: int) -> DataFrame:
    """`today` (rows of `user_history_intraday`), and of `base` the users who are not in it.

    Those did nothing since: of theirs, only what is older than `active_days` on `ds` goes.
    """
    expired_ds = shift(ds, -active_days)
    rest = active(base, expired_ds).join(today.select("user_id"), "user_id", "left_anti")
    trimmed = {name: F.filter(name, lambda it: _since(it, expired_ds)) for name in STATE[1:]}
    return rest.select(*STATE).withColumns(trimmed).unionByName(today.select(*STATE))


def active(histories: DataFrame, expired_ds: str) -> DataFrame:
    """The histories that hold an event after `expired_ds`."""
    return histories.where(F.col("last_ds") > expired_ds)


def _since(entry: Column, expired_ds: str) -> Column:
    return entry["arrival_ds"] > expired_ds
