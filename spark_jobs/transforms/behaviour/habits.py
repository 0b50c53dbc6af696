"""What a user's behaviour looks like: with the changes, the inputs of the anomaly score."""

import numpy as np
import polars as pl

from spark_jobs.behaviour.changes import CHANGES, changes, timed
from spark_jobs.behaviour.unpacked import Unpacked

HABITS = (
    "many_events_a_day", "busiest_day", "fast_pace", "all_hours", "many_items", "never_buys",
    "many_purchases_a_day", "large_quantities", "one_item_in_bulk", "high_spend", "many_returns",
)  # fmt: skip
FEATURES = (*HABITS, *CHANGES)


def habits(chunk: Unpacked) -> np.ndarray:
    """[users, FEATURES], on scales on which people differ by a few units; NaN where undefined."""
    days, acts = _of_days(chunk), _of_acts(chunk)
    found = {**days, **acts, **changes(chunk)}
    stacked = np.stack([found[name] for name in FEATURES], axis=1)
    return np.round(stacked, 6)  # the order of sums must not decide who is farther


def _of_days(chunk: Unpacked) -> dict[str, np.ndarray]:
    """From daily counts, which are never capped."""
    kind, number = pl.col("kind"), pl.col("events")
    own = (
        chunk.days.filter(kind != "impression")
        .group_by("row", "ago")
        .agg(
            number.sum(),
            bought=number.filter(kind == "purchase").sum(),
            viewed=number.filter(kind == "view").sum(),
            returned=number.filter(kind == "return").sum(),
            value=pl.col("value").filter(kind == "purchase").sum(),
        )
    )
    per_user = own.group_by("row").agg(
        pl.len().alias("active"),
        pl.col("events", "bought", "viewed", "returned", "value").sum(),
        busiest=pl.col("events").max(),
        buying=(pl.col("bought") > 0).sum(),
    )
    u = {name: chunk.column(per_user, name) for name in per_user.columns if name != "row"}
    with np.errstate(invalid="ignore", divide="ignore"):
        bought_a_day = np.log(u["bought"] / u["buying"])
        spend_a_day = np.log1p(u["value"] / u["buying"])
    return {
        "many_events_a_day": np.log(u["events"] / u["active"]),
        "busiest_day": np.log(u["busiest"]),
        "never_buys": np.log1p(u["viewed"]) - np.log1p(u["bought"]),
        "many_purchases_a_day": np.where(u["buying"] > 0, bought_a_day, np.nan),
        "high_spend": np.where(u["buying"] > 0, spend_a_day, np.nan),
        "many_returns": np.log1p(u["returned"]) - 0.5 * np.log1p(u["bought"]),
    }


def _of_acts(chunk: Unpacked) -> dict[str, np.ndarray]:
    """From the listed events."""
    acts = timed(chunk)
    items = acts.filter(pl.col("item").is_not_null())
    lines = items.filter(pl.col("kind") == "purchase", pl.col("quantity").is_not_null())
    per_item = lines.group_by("row", "item").agg(pl.col("quantity").sum())
    per_user = acts.group_by("row").agg(
        pl.len().alias("acts"),
        pl.col("pause").log().mean(),
        hours=(pl.lit(1, pl.Int64) * 2 ** pl.col("hour").cast(pl.Int64))
        .bitwise_or()
        .bitwise_count_ones(),
    )
    seen = items.select("row", "item").unique().group_by("row").len("items")
    largest = lines.group_by("row").agg(pl.col("quantity").log1p().mean())
    bulk = per_item.group_by("row").agg(pl.col("quantity").max().log1p())
    number = chunk.column(per_user, "acts")
    most_hours = np.minimum(number, 24)  # few events cannot be spread over the day
    return {
        "fast_pace": -chunk.column(per_user, "pause"),
        "all_hours": chunk.column(per_user, "hours") - 0.7 * most_hours,
        "many_items": np.log(chunk.column(seen, "items")) - 0.8 * np.log(number),
        "large_quantities": chunk.column(largest, "quantity"),
        "one_item_in_bulk": chunk.column(bulk, "quantity"),
    }
