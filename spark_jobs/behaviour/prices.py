"""Returns and prices: shares and means of a user, pulled towards all users."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from spark_jobs.behaviour.unpacked import Unpacked

FEWEST_PURCHASES = 5  # of users who show how return rates differ
FEWEST_LOOKED, FEWEST_BOUGHT = 3, 2  # priced events that a sensitivity needs
PSEUDO = (1.0, 100.0)  # least and most purchases that the mean of all users counts for


@dataclass(frozen=True)
class UsualReturns:
    """A beta distribution of return rates over users."""

    rate: float
    purchases: float  # that the mean counts for

    @staticmethod
    def learn(returned: np.ndarray, bought: np.ndarray) -> "UsualReturns":
        """By moments, of [users] counts: the spread between users beyond that of small numbers."""
        total = float(bought.sum())
        rate = float(returned.sum() / total) if total else 0.0
        many = bought >= FEWEST_PURCHASES
        if rate in (0.0, 1.0) or many.sum() < 2:
            return UsualReturns(rate, PSEUDO[1])
        share, number = returned[many] / bought[many], bought[many]
        noise = rate * (1 - rate) * np.mean(1 / number)
        between = max(float(np.mean((share - rate) ** 2) - noise), 1e-9)
        return UsualReturns(rate, float(np.clip(rate * (1 - rate) / between - 1, *PSEUDO)))


def counted_returns(chunk: Unpacked) -> tuple[np.ndarray, np.ndarray]:
    """[users] events returned, and bought; a return of what was bought before the window, or is not known to have been
    bought, counts as bought too, so that no share exceeds 1."""
    kind, number = pl.col("kind"), pl.col("events")
    found = chunk.days.group_by("row").agg(
        returned=number.filter(kind == "return").sum(),
        bought=number.filter(kind == "purchase").sum(),
    )
    returned = chunk.column(found, "returned", 0)
    return returned, np.maximum(chunk.column(found, "bought", 0), returned)


def return_rate(chunk: Unpacked, usual: UsualReturns) -> np.ndarray:
    """[users] posterior mean of the share of purchases that come back."""
    returned, bought = counted_returns(chunk)
    return (returned + usual.rate * usual.purchases) / (bought + usual.purchases)


def price_level(chunk: Unpacked, weight: float) -> np.ndarray:
    """[users] mean log of the price paid over the usual one of its topic, where `weight` purchases at the usual price
    are added; NaN without priced purchases."""
    number, mean = _relative(chunk, ["purchase"])
    return mean * number / (number + weight)


def price_weight(chunk: Unpacked) -> float:
    """How many purchases at the usual price say as much as what is known about all users: the variance within users
    over that between them (one-way random effects, by moments)."""
    acts = _priced(chunk, ["purchase"])
    users = (
        acts.group_by("row")
        .agg(pl.len().alias("number"), pl.col("away").mean().alias("mean"), pl.col("away").var())
        .filter(pl.col("number") >= 2)
    )
    if len(users) < 2:
        return PSEUDO[0]
    number, mean, spread = (users[name].to_numpy() for name in ("number", "mean", "away"))
    within = float((spread * (number - 1)).sum() / (number - 1).sum())
    between = float(mean.var(ddof=1)) - within * float((1 / number).mean())
    return float(np.clip(within / max(between, 1e-9), *PSEUDO))


def price_sensitivity(chunk: Unpacked) -> np.ndarray:
    """[users] mean log price looked at minus mean log price bought, each over the usual one of its topic: above 0 for
    users who look at dear things and buy cheap ones. NaN with too few."""
    looked, dear = _relative(chunk, ["view", "favorite"])
    bought, paid = _relative(chunk, ["purchase"])
    enough = (looked >= FEWEST_LOOKED) & (bought >= FEWEST_BOUGHT)
    return np.where(enough, dear - paid, np.nan)


def usual_prices(items: pl.DataFrame) -> pl.DataFrame:
    """`items` (item_id, platform, topic_id, price) with `usual_price`: the median log price of what the platform sells
    of the topic, since platforms may have different currencies (items without a topic have none); and the numbers of
    item and topic."""
    log = pl.col("price").log()
    priced = pl.when(pl.col("price") > 0, pl.col("topic_id").is_not_null()).then(log)
    return items.with_row_index("item").select(
        "item_id",
        "topic_id",
        "item",
        topic=pl.col("topic_id").rank("dense"),
        usual_price=priced.median().over("platform", "topic_id"),
    )


def _relative(chunk: Unpacked, kinds: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """[users] number of priced events and mean log price over the usual one."""
    found = _priced(chunk, kinds).group_by("row").agg(pl.len().alias("n"), pl.col("away").mean())
    return chunk.column(found, "n", 0), chunk.column(found, "away")


def _priced(chunk: Unpacked, kinds: list[str]) -> pl.DataFrame:
    priced = pl.col("kind").is_in(kinds) & (pl.col("price") > 0)
    acts = chunk.acts.filter(priced, pl.col("usual_price").is_not_null())
    return acts.select("row", away=pl.col("price").log() - pl.col("usual_price"))
