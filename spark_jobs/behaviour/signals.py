"""Histories to behaviour signals, in one pass: `user_history` has one row per user already."""

from functools import partial

import polars as pl
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipeline.tables.interests import USER_SIGNALS
from spark_jobs.behaviour.prices import usual_prices
from spark_jobs.transforms.behaviour.profile import learn_norms, profile
from spark_jobs.transforms.map_chunks import map_chunks

SAMPLE_USERS = 5_000  # by hash of the user, to learn what is usual; at most 1,024 events each
OF_REVIEWS = ("sentiment", "reviews")
OF_HISTORY = pa.schema([field for field in USER_SIGNALS.schema if field.name not in OF_REVIEWS])
MICROS = 1_000_000


def signals(
    histories: DataFrame,
    items: DataFrame,
    item_topics: pa.Table,
    sentiments: DataFrame,
    ds: str,
    everyone: DataFrame | None = None,
) -> DataFrame:
    """`user_signals` of day `ds`: one row per row of `histories`, the `user_history` of that day.

    `items` and `item_topics` are held in memory by the driver and by every worker; histories
    stream. What is usual is learned from the histories themselves, of a sample of their users, or
    from `everyone`, where `histories` holds some users only.
    """
    known = _known_items(items, item_topics)
    states = histories.select("user_id", "events", "daily")
    sample = _sample(states if everyone is None else everyone.select(*states.columns))
    norms = learn_norms(_frame(sample.toArrow()).sort("user_id"), known, ds)
    lookup = usual_prices(known)
    kernel = partial(profile, items=lookup, norms=norms, ds=ds)
    found = map_chunks(states, kernel, OF_HISTORY)
    return found.join(_of_reviews(sentiments), "user_id", "left").fillna(0, ["reviews"])


def _sample(states: DataFrame) -> DataFrame:
    """About SAMPLE_USERS users, always the same ones: ids are hashes, so a share of them is a
    share of the users."""
    users = states.count()
    if users <= SAMPLE_USERS:
        return states
    below = f"{int(SAMPLE_USERS / users * 16**8):08x}"
    return states.where(F.col("user_id") < below)


def _of_reviews(sentiments: DataFrame) -> DataFrame:
    """`user_id`, `sentiment`, `reviews`, of the users with a review; the sum is of whole numbers,
    so that it does not depend on the order of rows."""
    micros: Column = F.round(F.col("sentiment").cast("double") * MICROS).cast("long")
    mean = F.round(F.sum(micros) / F.count("*") / MICROS, 6)
    reviews = F.count("*").cast("int").alias("reviews")
    return sentiments.groupBy("user_id").agg(mean.cast("float").alias("sentiment"), reviews)


def _known_items(items: DataFrame, item_topics: pa.Table) -> pl.DataFrame:
    """item_id, platform, topic_id, price, title; in a total order."""
    topics = _frame(item_topics).select("item_id", "topic_id")
    facts = _frame(items.select("item_id", "platform", "price", "title").toArrow())
    return facts.join(topics, on="item_id", how="left").sort("item_id")


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame
