"""Histories to behaviour signals, in one pass: `user_history` has one row per user already."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipeline.tables.interests import USER_SIGNALS
from spark_jobs.behaviour import cycles, intents, prices
from spark_jobs.behaviour.prices import usual_prices
from spark_jobs.behaviour.rhythm import Rhythm, active_days, gaps, rhythm
from spark_jobs.behaviour.unpacked import Unpacked, unpack
from spark_jobs.behaviour.unusual import Usual, habits, learn_usual
from spark_jobs.engine.kernels import map_chunks

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

    `items` and `item_topics` are held in memory by the driver and by every worker; histories stream. What is usual is
    learned from the histories themselves, of a sample of their users, or from `everyone`, where `histories` holds some
    users only.
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
    """About SAMPLE_USERS users, always the same ones: ids are hashes, so a share of them is a share of the users."""
    users = states.count()
    if users <= SAMPLE_USERS:
        return states
    below = f"{int(SAMPLE_USERS / users * 16**8):08x}"
    return states.where(F.col("user_id") < below)


def _of_reviews(sentiments: DataFrame) -> DataFrame:
    """`user_id`, `sentiment`, `reviews`, of the users with a review; the sum is of whole numbers, so that it does not
    depend on the order of rows."""
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


@dataclass(frozen=True)
class Norms:
    """What is usual among users, learned from a sample of them."""

    gap: float
    usual: Usual
    returns: prices.UsualReturns
    price_weight: float
    cycles: cycles.Cycles
    words: intents.Words


def learn_norms(sample: pl.DataFrame, items: pl.DataFrame, ds: str) -> Norms:
    """From rows of `user_history` and `items` (item_id, platform, topic_id, price, title)."""
    chunk = unpack(sample, prices.usual_prices(items), ds)
    return Norms(
        Rhythm.usual(gaps(*active_days(chunk))[1]),
        learn_usual(habits(chunk)),
        prices.UsualReturns.learn(*prices.counted_returns(chunk)),
        prices.price_weight(chunk),
        cycles.learn_cycles(chunk),
        intents.learn_words(items),
    )


def profile(histories: pl.DataFrame, items: pl.DataFrame, norms: Norms, ds: str) -> pl.DataFrame:
    """The columns of `user_signals` but those of reviews, one row per row of `histories`."""
    chunk = unpack(histories, items, ds)
    pace = rhythm(chunk, norms.gap)
    score, reasons = norms.usual.score(habits(chunk))
    found = histories.select(ds=pl.lit(ds), user_id="user_id").with_columns(
        segment=pl.Series(pace.segment),
        usual_gap_days=_floats(pace.usual_gap),
        is_regular=pl.Series(pace.is_regular),
        fading=_floats(pace.fading),
        anomaly_score=_floats(score),
        anomaly_reason=pl.Series(reasons, dtype=pl.String),
        return_rate=_floats(prices.return_rate(chunk, norms.returns)),
        price_level=_floats(prices.price_level(chunk, norms.price_weight)),
        price_sensitivity=_floats(prices.price_sensitivity(chunk)),
    )
    due = cycles.due_again(chunk, norms.cycles, ds)
    said = intents.search_intents(chunk, norms.words)
    return found.with_columns(
        due_again=_lists(chunk, due, cycles.LIST), search_intents=_lists(chunk, said, intents.LIST)
    )


def _floats(values: np.ndarray) -> pl.Series:
    """Rounded, so that the order of sums does not show; null where undefined."""
    whole = np.round(values, 6) + 0.0  # there is one zero
    return pl.Series(whole, dtype=pl.Float32, nan_to_null=True)


def _lists(chunk: Unpacked, found: pl.DataFrame, kind: pl.List) -> pl.Series:
    """[users] the second column of `found` by its `row`, empty lists elsewhere."""
    rows = pl.DataFrame({"row": np.arange(chunk.size, dtype=np.uint32)})
    name = found.columns[1]
    joined = rows.join(found, on="row", how="left", maintain_order="left")[name]
    return joined.cast(kind).fill_null(pl.Series([[]], dtype=kind))
