"""Shares of topics as lists of structs, most first."""

import numpy as np
import polars as pl
import pyarrow as pa

LISTED = 20  # topics of a list at most; the listed shares sum to 1


def share_lists(shares: np.ndarray, told: np.ndarray, topics: list[str]) -> pl.Series:
    """The LISTED largest shares of each row of (users, topics); empty where nothing is `told`.

    Equal shares come in order of topic.
    """
    count = min(LISTED, len(topics))
    if not count:
        shares, topics, count = np.zeros((len(shares), 1)), [""], 1
        told = np.zeros_like(told)
    order = np.argsort(-shares, axis=1, kind="stable")[:, :count]
    best = np.take_along_axis(shares, order, axis=1)
    best = best / np.maximum(best.sum(axis=1, keepdims=True), 1e-12)
    structs = pl.DataFrame(
        {
            "topic_id": pl.Series(topics, dtype=pl.String).gather(order[told].ravel()),
            "share": best[told].ravel().astype(np.float32),
        }
    )
    return split_lists(structs.to_struct(), np.where(told, count, 0))


def split_lists(values: pl.Series, length: np.ndarray) -> pl.Series:
    """Consecutive `values` cut into lists of these lengths."""
    arrow = values.to_arrow(compat_level=pl.CompatLevel.oldest())
    ends = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    return pl.Series(pa.LargeListArray.from_arrays(ends, arrow))
