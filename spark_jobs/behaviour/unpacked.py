"""Histories of many users, unpacked: `row` numbers the users of a chunk from 0."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.runtime.days import days_since_1970

ENGAGED = ("view", "cart", "favorite", "purchase")


@dataclass(frozen=True)
class Unpacked:
    """`days`: row, ago, platform, kind, events, quantity, value, one per day, platform and type.

    `acts`: row, item_id, kind, time, ago, quantity, price, text and the columns of the items, one per event of the
    (capped) list, in its order. `ago` counts days back from the day of the state.
    """

    size: int
    days: pl.DataFrame
    acts: pl.DataFrame
    items: pl.DataFrame

    def column(self, found: pl.DataFrame, name: str, default: float = np.nan) -> np.ndarray:
        """[size] float64: a column of a frame with one row per `row`, by that row."""
        values = np.full(self.size, default)
        values[found["row"].to_numpy()] = found[name].cast(pl.Float64).to_numpy()
        return values


def unpack(histories: pl.DataFrame, items: pl.DataFrame, ds: str) -> Unpacked:
    """Rows of `user_history` of day `ds`; `items` as `prices.usual_prices` makes them.

    What is counted by item or topic goes by the numbers `item` and `topic`, which cost less than names: an item that is
    not in `items` is not counted.
    """
    as_of = days_since_1970(ds)
    rows = histories.select("events", "daily").with_row_index("row")
    days = _exploded(rows, "daily").with_columns(_ago(as_of)).drop("arrival_ds")
    acts = _exploded(rows, "events").with_columns(_ago(as_of)).drop("arrival_ds")
    acts = acts.join(items, on="item_id", how="left", maintain_order="left")
    names = {"event_type": "kind", "event_time": "time"}
    return Unpacked(len(histories), days.rename({"event_type": "kind"}), acts.rename(names), items)


def _exploded(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    filled = rows.select("row", name).filter(pl.col(name).list.len() > 0)
    return filled.explode(name).unnest(name)


def _ago(as_of: int) -> pl.Expr:
    day = pl.col("arrival_ds").str.to_date("%Y-%m-%d").to_physical()
    return (pl.lit(as_of, pl.Int32) - day).alias("ago")
