"""Windowed counts of a user: columns of `user_features`, and inputs of the propensity heads."""

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from pipeline.tables.registry import EVENT_TYPES, IMPRESSION
from training.data.arrow import Column, codes, day_numbers, floats, lengths, plain

WINDOWS = (1, 7, 28, 90, 365)  # days, including the day of the state
ALL = len(EVENT_TYPES)  # column of `events` that holds the sum over all types
PURCHASE = EVENT_TYPES.index("purchase")
# A rate says more than a total, so recency and rhythm are features too.
FEATURES = (
    *(f"{kind}_{window}d" for window in WINDOWS for kind in (*EVENT_TYPES, "events")),
    *(f"spend_{window}d" for window in WINDOWS),
    *(f"active_days_{window}d" for window in WINDOWS),
    *(f"purchase_days_{window}d" for window in WINDOWS),
    "recency",
    "tenure",
    "purchase_recency",
    "platforms",
)


@dataclass(frozen=True)
class WindowedCounts:
    """Counts of [rows] users in the WINDOWS that end with the day of their state.

    Impressions are counted, and are no activity. Of users who were only shown things, recency and tenure are those of
    the impressions.
    """

    events: np.ndarray  # [rows, windows, event types + all]
    spend: np.ndarray  # [rows, windows] value of purchases
    active_days: np.ndarray  # [rows, windows]
    purchase_days: np.ndarray  # [rows, windows]
    recency: np.ndarray  # [rows] days since the last active day
    tenure: np.ndarray  # [rows] days since the first
    purchase_recency: np.ndarray  # [rows] days since the last purchase; 365 when there is none
    platforms: np.ndarray  # [rows] platforms used
    known_for: np.ndarray  # [rows] days since the first event of any kind; no feature

    def count(self, kind: str, window: int) -> np.ndarray:
        """[rows] events of a type ("events" = of all) in `window` days."""
        column = ALL if kind == "events" else EVENT_TYPES.index(kind)
        return self.events[:, WINDOWS.index(window), column]

    def features(self) -> np.ndarray:
        """[rows, FEATURES] float32: log(1 + value), so that heavy users do not drown the others."""
        rows = len(self.recency)
        parts = [self.events.reshape(rows, -1), self.spend, self.active_days, self.purchase_days]
        singles = [self.recency, self.tenure, self.purchase_recency, self.platforms]
        stacked = np.concatenate([*parts, np.stack(singles, axis=1)], axis=1)
        return np.log1p(np.maximum(stacked, 0)).astype(np.float32)


def windowed_counts(daily: Column, as_of: np.ndarray) -> WindowedCounts:
    """From a list column of tables.DAILY_COUNTS and the day (since 1970) of each row's state."""
    lists = plain(daily)
    rows, size = np.repeat(np.arange(len(lists)), lengths(lists)), len(lists)
    days = lists.flatten()
    ago = as_of[rows] - day_numbers(pc.struct_field(days, "arrival_ds"))
    kind = codes(pc.struct_field(days, "event_type"), EVENT_TYPES)
    number = floats(pc.struct_field(days, "events"))
    bought, acted = kind == PURCHASE, kind != EVENT_TYPES.index(IMPRESSION)
    known = acted | ~_any(rows, acted, size)[rows]
    value = floats(pc.struct_field(days, "value")) * bought
    platform = pc.struct_field(days, "platform").dictionary_encode().indices.to_numpy()
    per_window = [ago < window for window in WINDOWS]
    return WindowedCounts(
        np.stack([_by_kind(rows, kind, number * inside, size) for inside in per_window], axis=1),
        np.stack([np.bincount(rows, value * inside, size) for inside in per_window], axis=1),
        np.stack([_distinct(rows, ago, inside & acted, size) for inside in per_window], axis=1),
        np.stack([_distinct(rows, ago, inside & bought, size) for inside in per_window], axis=1),
        _extreme(rows, ago, known, size, np.minimum),
        _extreme(rows, ago, known, size, np.maximum),
        _extreme(rows, ago, bought, size, np.minimum),
        _distinct(rows, platform, np.ones_like(bought), size),
        _extreme(rows, ago, np.ones_like(bought), size, np.maximum),
    )


def _by_kind(rows: np.ndarray, kind: np.ndarray, number: np.ndarray, size: int) -> np.ndarray:
    flat = np.bincount(rows * ALL + kind, number, size * ALL).reshape(size, ALL)
    return np.concatenate([flat, flat.sum(axis=1, keepdims=True)], axis=1)


def _any(rows: np.ndarray, keep: np.ndarray, size: int) -> np.ndarray:
    """[size] whether one of the row's is kept."""
    return np.bincount(rows[keep], minlength=size) > 0


def _distinct(rows: np.ndarray, what: np.ndarray, keep: np.ndarray, size: int) -> np.ndarray:
    """Distinct values of `what` per row."""
    pairs = np.unique(rows[keep].astype(np.int64) << 32 | what[keep])
    return np.bincount(pairs >> 32, minlength=size).astype(np.float64)


def _extreme(rows: np.ndarray, ago: np.ndarray, keep: np.ndarray, size: int, choose: np.ufunc) -> np.ndarray:
    """The nearest (minimum) or farthest (maximum) day per row; 365 or 0 where there is none."""
    found = np.full(size, np.inf if choose is np.minimum else 0, dtype=np.float64)
    choose.at(found, rows[keep], ago[keep])
    return np.where(np.isinf(found), 365, found)
