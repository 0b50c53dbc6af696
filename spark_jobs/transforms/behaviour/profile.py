"""All signals of a chunk of users, and what a sample of users tells of what is usual."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from spark_jobs.behaviour import cycles, intents, prices
from spark_jobs.behaviour.rhythm import Rhythm, active_days, gaps, rhythm
from spark_jobs.behaviour.unpacked import Unpacked, unpack
from spark_jobs.behaviour.unusual import Usual, learn_usual
from spark_jobs.transforms.behaviour.habits import habits


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
