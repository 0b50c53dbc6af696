"""What is bought again and again, and when it is due.

A chain is one user's purchases of one item, by days. Whether goods of a kind (a topic) are used up and bought again is
learned from the chains of all users; how fast, from the gaps of the kind, pulled towards the user's own. Buying again
is no cycle yet: the gaps must be less spread than by chance.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from spark_jobs.behaviour.unpacked import Unpacked

KIND_GAPS = 1.0  # own gaps that the kind's usual one counts for
KIND_CHAINS = 20.0  # chains of the kind that the mean of all kinds counts for
LIKELY = 0.25  # chance of one more purchase from which on a kind is said to be bought in cycles
OWN_GAPS = 2  # with this many own gaps, an item needs no kind
BY_CHANCE = np.pi / 6**0.5  # standard deviation of the log of gaps that come at random
WIDEST = BY_CHANCE / 2  # of what is called a cycle
OVERDUE = 0.5  # cycles after which a purchase is no longer expected
MOST = 10  # entries per user
DAYS = 2**12  # more than any window holds
SHORTEST = 2  # days: two orders within two days are one errand
LIST = pl.List(pl.Struct({"topic_id": pl.String, "item_id": pl.String, "due_ds": pl.String, "cycle_days": pl.Float32}))


@dataclass(frozen=True)
class Cycles:
    """`kinds`: per `topic` the `again` (chance of one more purchase), `kind_gap` (log days) and `kind_spread` (of the
    log); the others are those of all kinds together."""

    kinds: pl.DataFrame
    again: float
    kind_gap: float
    kind_spread: float


def learn_cycles(chunk: Unpacked) -> Cycles:
    """From the chains of a sample of users.

    A chain's last purchase says whether another one followed only once a usual gap has passed since, so that fresh
    purchases do not count as never repeated.
    """
    bought = _purchases(chunk)
    gap = bought["gap"].drop_nulls().log().to_numpy()
    usual = float(np.median(gap)) if len(gap) else float(np.log(28))
    spread = _spread(gap, usual) if len(gap) else BY_CHANCE
    log = pl.col("gap").log()
    ripe = pl.col("gap_after").is_not_null() | (pl.col("ago").log() > usual)
    per_kind = (
        bought.drop_nulls("topic")
        .group_by("topic")
        .agg(
            chances=ripe.sum(),
            repeats=pl.col("gap_after").count(),
            own=log.median(),
            off=(log - log.median()).abs().median(),
            gaps=log.count(),
        )
        .sort("topic")
    )
    mean = int(per_kind["repeats"].sum()) / max(int(per_kind["chances"].sum()), 1)
    again = (pl.col("repeats") + KIND_CHAINS * mean) / (pl.col("chances") + KIND_CHAINS)
    trust = pl.col("gaps") / (pl.col("gaps") + KIND_CHAINS)
    kinds = per_kind.select(
        "topic",
        again=again,
        kind_gap=trust * pl.col("own").fill_null(usual) + (1 - trust) * usual,
        kind_spread=trust * 1.4826 * pl.col("off").fill_null(0) + (1 - trust) * spread,
    )
    return Cycles(kinds, mean, usual, spread)


def due_again(chunk: Unpacked, cycles: Cycles, ds: str) -> pl.DataFrame:
    """`row`, `due_again`: for users with something due, the soonest due first."""
    log = pl.col("gap").log()
    chains = (
        _purchases(chunk)
        .group_by("chain")
        .agg(
            pl.first("row", "item", "topic"),
            pl.col("ago").min(),
            gaps=log.count(),
            logs=log.sum(),
            squares=(log**2).sum(),
        )
        .join(cycles.kinds, on="topic", how="left")
    )
    chains = chains.with_columns(
        pl.col("again").fill_null(cycles.again),
        pl.col("kind_gap").fill_null(cycles.kind_gap),
        pl.col("kind_spread").fill_null(cycles.kind_spread),
    )
    gaps, logs = pl.col("gaps"), pl.col("logs")
    cycle = ((logs + KIND_GAPS * pl.col("kind_gap")) / (gaps + KIND_GAPS)).exp()
    own = (pl.col("squares") - logs**2 / gaps.clip(1)).clip(0)
    freedom = (gaps.cast(pl.Float64) - 1).clip(0) + KIND_GAPS
    spread = ((own + KIND_GAPS * pl.col("kind_spread") ** 2) / freedom).sqrt()
    chains = chains.with_columns(cycle_days=cycle, due=cycle - pl.col("ago"))
    awaited = pl.col("due") >= -OVERDUE * pl.col("cycle_days")
    repeats = (pl.col("again") >= LIKELY) | (gaps >= OWN_GAPS)
    return _listed(chunk, chains.filter(awaited, repeats, spread <= WIDEST), ds)


def _listed(chunk: Unpacked, due: pl.DataFrame, ds: str) -> pl.DataFrame:
    due = due.hstack(chunk.items.select("item_id", "topic_id")[due["item"]])
    soonest = due.sort("row", "due", "item_id").group_by("row", maintain_order=True).head(MOST)
    day = pl.lit(ds).str.to_date() + pl.duration(days=pl.col("due").round().cast(pl.Int64))
    entry = pl.struct(
        "topic_id",
        "item_id",
        due_ds=day.dt.to_string("%Y-%m-%d"),
        cycle_days=pl.col("cycle_days").cast(pl.Float32),
    )
    return soonest.group_by("row", maintain_order=True).agg(due_again=entry)


def _spread(logs: np.ndarray, middle: float) -> float:
    return 1.4826 * float(np.median(np.abs(logs - middle)))


def _purchases(chunk: Unpacked) -> pl.DataFrame:
    """One row per user, item and errand, in order; `gap` since the one before, `gap_after` until the next. Sorted by
    one whole number of user, item and day."""
    bought = chunk.acts.filter(pl.col("kind") == "purchase", pl.col("item").is_not_null())
    chain = pl.col("row").cast(pl.UInt64) * 2**28 + pl.col("item")
    key = chain * DAYS + (DAYS - 1 - pl.col("ago").clip(0, DAYS - 1).cast(pl.UInt64))
    days = bought.select("row", "item", "topic", "ago", chain=chain, key=key).sort("key")
    follows = pl.col("chain") == pl.col("chain").shift(-1)
    rests = pl.col("ago") - pl.col("ago").shift(-1) >= SHORTEST
    days = days.filter((rests | ~follows).fill_null(value=True))  # an errand ends with its last
    gap = (pl.col("ago").shift() - pl.col("ago")).cast(pl.Float64)
    days = days.with_columns(gap=pl.when(pl.col("chain") == pl.col("chain").shift()).then(gap))
    return days.with_columns(gap_after=pl.when(follows).then(pl.col("gap").shift(-1)))
