"""Whom a refresh touches: users with a row in a file that it takes. The cost of everything else grows with their
number."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipeline.runtime.days import shift
from pipeline.runtime.errors import StagingError
from spark_jobs.events.clean import BOT, DUPLICATE, PLACE

# In place of a data file's name; of equal rows, the one that was taken before is the event.
TAKEN_BEFORE, TAKEN_NOW = "landing-1", "landing-2"
REJECTED = "rejected"

STATE = ("user_id", "events", "daily")


def hold(raw: DataFrame, files: list[str]) -> DataFrame:
    """Ingested rows, kept so that each has one place however often they are looked at.

    `files` are taken now; what is in others was taken before.
    """
    when = F.when(F.col("source_file").isin(files), TAKEN_NOW).otherwise(TAKEN_BEFORE)
    place = {"data_file": when, "data_row": F.monotonically_increasing_id()}
    return raw.withColumns(place).persist()


def touched_users(raw: DataFrame, files: list[str], unsettled: DataFrame) -> DataFrame:
    """`user_id` of the users with a valid row of `files`, and of those in `unsettled`.

    Duplicates and bots are judged within a user, so no other user's history can change.
    """
    valid = raw.where(F.col("reject_reason").isNull() & F.col("source_file").isin(files))
    return valid.select("user_id").union(unsettled.select("user_id")).distinct()


def of_users(rows: DataFrame, users: DataFrame) -> DataFrame:
    """The rows of some users, few compared with all."""
    return rows.join(F.broadcast(users), "user_id", "left_semi")


def expected_rows(past: DataFrame, events: DataFrame, others: DataFrame, ds: str, active_days: int) -> tuple[int, int]:
    """Users of whom `past` and the `events` since make a history on `ds`, and rows of `others`."""
    expired_ds = shift(ds, -active_days)
    recent = events.where(F.col("arrival_ds") > expired_ds).select("user_id")
    users = active(past, expired_ds).select("user_id").union(recent).distinct()
    both = users.select(F.lit(True).alias("new")).unionAll(others.select(F.lit(False)))
    counts = both.agg(F.count_if("new"), F.count_if(~F.col("new"))).collect()
    return counts[0][0], counts[0][1]


def tally(raw: DataFrame, verdicts: DataFrame, files: list[str], records: int) -> dict[str, int]:
    """What became of the `records` that landed in `files`.

    Raises StagingError when their number differs from that of the rows: then some were lost.
    """
    taken = raw.where(F.col("source_file").isin(files))
    judged = taken.join(verdicts.select(*PLACE, "verdict"), list(PLACE), "left")
    rejected = F.when(F.col("reject_reason").isNotNull(), REJECTED)
    fates = judged.groupBy(F.coalesce(rejected, "verdict").alias("fate")).count().collect()
    found = {row["fate"]: row["count"] for row in fates}
    counts = {
        "events": found.get(None, 0),
        "duplicates": found.get(DUPLICATE, 0),
        "quarantined": found.get(BOT, 0) + found.get(REJECTED, 0),
    }
    if sum(counts.values()) != records:
        raise StagingError(
            f"user_history_intraday: expected {records} records of {len(files)} landed files, "
            f"found {sum(counts.values())} rows; run the refresh again"
        )
    return counts


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
