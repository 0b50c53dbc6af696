"""How unusual a user's behaviour is: a robust distance, its rarity, and what stands out most.

Every feature is measured from the median of a sample of users, in robust standard deviations of the side above it; the
distance is the length of what is above. The rarity of a distance is that of the sample, beyond its 90% by an
exponential tail (Pickands 1975: peaks over threshold). Nothing here sets a limit for any behaviour: the users show what
is usual.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.tables.registry import IMPRESSION
from spark_jobs.behaviour.changes import CHANGES, changes, timed
from spark_jobs.behaviour.unpacked import Unpacked

SIDE, SIDE_NORMAL = 0.95, 1.645  # the quantile that gives the spread, and a normal's there
FAR, FAR_NORMAL = 0.99, 2.326  # where more than SIDE of the users are at the median
NARROWEST = 0.1  # of the features' scales: a spread of 0 would make any difference infinite
BULK, TAIL = 0.9, 0.975  # the tail is fitted to what lies between: the outermost fortieth may be anything
NOTED = 3.0  # orders of magnitude: as rare as one user of a thousand has score 0.5 and a reason
FEWEST_USERS = 50

HABITS = (
    "many_events_a_day",
    "busiest_day",
    "fast_pace",
    "all_hours",
    "many_items",
    "never_buys",
    "many_purchases_a_day",
    "large_quantities",
    "one_item_in_bulk",
    "high_spend",
    "many_returns",
)
FEATURES = (*HABITS, *CHANGES)


@dataclass(frozen=True)
class Usual:
    """What is usual among users: fitted by `learn_usual`."""

    middle: np.ndarray  # [FEATURES]
    above: np.ndarray  # [FEATURES] spreads
    distances: np.ndarray  # sorted, of the sample; empty where it was too small
    edge: float  # distance of BULK of the users
    excess: float  # mean of what is beyond

    def score(self, features: np.ndarray) -> tuple[np.ndarray, list[str | None]]:
        """[users] 0 to 1, and the feature that is farthest of those as rare as 1 of 1,000."""
        if not len(self.distances):
            return np.zeros(len(features)), [None] * len(features)
        away = _away(features, self.middle, self.above)
        magnitude = self._magnitude(np.round(np.linalg.norm(away, axis=1), 6))
        reasons = [
            FEATURES[n] if rare >= NOTED else None for n, rare in zip(away.argmax(axis=1), magnitude, strict=True)
        ]
        return magnitude / (magnitude + NOTED), reasons

    def _magnitude(self, distance: np.ndarray) -> np.ndarray:
        """Minus the decimal logarithm of the share of users that are at least as far."""
        size = len(self.distances)
        farther = size - np.searchsorted(self.distances, distance)
        bulk = -np.log10(np.clip(farther / size, 1 - BULK, 1))
        beyond = np.maximum(distance - self.edge, 0) / self.excess / np.log(10)
        return np.where(distance > self.edge, -np.log10(1 - BULK) + beyond, bulk)


def learn_usual(features: np.ndarray) -> Usual:
    """Fits a sample [users, FEATURES]; with fewer than FEWEST_USERS nobody stands out."""
    width = features.shape[1]
    if len(features) < FEWEST_USERS:
        return Usual(np.zeros(width), np.ones(width), np.empty(0), 0.0, 1.0)
    defined = np.where(np.isnan(features).all(axis=0), 0.0, features)
    middle, high, highest = np.nanquantile(defined, [0.5, SIDE, FAR], axis=0)
    spread = np.maximum((high - middle) / SIDE_NORMAL, (highest - middle) / FAR_NORMAL)
    above = np.maximum(spread, NARROWEST)
    lengths = np.linalg.norm(_away(features, middle, above), axis=1)
    distances = np.sort(np.round(lengths, 6))
    edge, far = np.quantile(distances, [BULK, TAIL])
    excess = (far - edge) / np.log((1 - BULK) / (1 - TAIL))
    return Usual(middle, above, distances, float(edge), float(max(excess, NARROWEST)))


def _away(features: np.ndarray, middle: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Robust standard deviations above the median; what is undefined is usual."""
    return np.nan_to_num(np.maximum(features - middle, 0) / above, nan=0.0, posinf=0.0)


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
        chunk.days.filter(kind != IMPRESSION)
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
        hours=(pl.lit(1, pl.Int64) * 2 ** pl.col("hour").cast(pl.Int64)).bitwise_or().bitwise_count_ones(),
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
