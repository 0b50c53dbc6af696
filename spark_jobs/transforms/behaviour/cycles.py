"""What is bought again and again, and when it is due.

A chain is one user's purchases of one item, by days. Whether goods of a kind (a topic) are used up
and bought again is told by the chains of all users; how fast, by the gaps of the kind, pulled
towards the user's own.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from spark_jobs.transforms.behaviour.unpacked import Unpacked

KIND_GAPS = 1.0  # own gaps that the kind's usual one counts for
KIND_CHAINS = 20.0  # chains of the kind that the mean of all kinds counts for
LIKELY = 0.25  # chance of one more purchase from which on a kind is said to be bought in cycles
OWN_GAPS = 2  # so many own gaps of an item need no kind
OVERDUE = 0.5  # cycles after which nobody waits any more
MOST = 10  # entries per user
SHORTEST = 2  # days: two orders within two days are one errand
LIST = pl.List(
    pl.Struct(
        {"topic_id": pl.String, "item_id": pl.String, "due_ds": pl.String, "cycle_days": pl.Float32}
    )
)


@dataclass(frozen=True)
class Cycles:
    """Per kind: `topic_id`, `again` (chance of one more purchase), `kind_gap` (log days)."""

    kinds: pl.DataFrame
    again: float  # of kinds without chains
    kind_gap: float


def learn_cycles(chunk: Unpacked) -> Cycles:
    """From the chains of a sample of users.

    A chain's last purchase tells whether there was one more only once a usual gap has passed since,
    so that fresh purchases do not count as never repeated.
    """
    bought = _purchases(chunk)
    gap = bought["gap"].drop_nulls()
    usual = float(gap.log().median()) if len(gap) else float(np.log(28))  # type: ignore[arg-type]
    ripe = pl.col("gap_after").is_not_null() | (pl.col("ago").log() > usual)
    per_kind = (
        bought.drop_nulls("topic_id")
        .group_by("topic_id")
        .agg(
            chances=ripe.sum(),
            repeats=pl.col("gap_after").count(),
            own=pl.col("gap").log().median(),
            gaps=pl.col("gap").count(),
        )
    )
    mean = int(per_kind["repeats"].sum()) / max(int(per_kind["chances"].sum()), 1)
    again = (pl.col("repeats") + KIND_CHAINS * mean) / (pl.col("chances") + KIND_CHAINS)
    trust = pl.col("gaps") / (pl.col("gaps") + KIND_CHAINS)
    kind_gap = trust * pl.col("own").fill_null(usual) + (1 - trust) * usual
    return Cycles(per_kind.select("topic_id", again=again, kind_gap=kind_gap), mean, usual)


def due_again(chunk: Unpacked, cycles: Cycles, ds: str) -> pl.DataFrame:
    """`row`, `due_again`: of the users with something due, the soonest due first."""
    chains = _purchases(chunk).group_by("row", "item_id", "topic_id").agg(
        pl.col("ago").min(), gaps=pl.col("gap").count(), logs=pl.col("gap").log().sum()
    ).join(cycles.kinds, on="topic_id", how="left")  # fmt: skip
    kind_gap = pl.col("kind_gap").fill_null(cycles.kind_gap)
    cycle = ((pl.col("logs") + KIND_GAPS * kind_gap) / (pl.col("gaps") + KIND_GAPS)).exp()
    chains = chains.with_columns(cycle_days=cycle).with_columns(
        due=pl.col("cycle_days") - pl.col("ago")
    )
    again = pl.col("again").fill_null(cycles.again)
    awaited = pl.col("due") >= -OVERDUE * pl.col("cycle_days")
    wanted = chains.filter(awaited, (again >= LIKELY) | (pl.col("gaps") >= OWN_GAPS))
    day = pl.lit(ds).str.to_date() + pl.duration(days=pl.col("due").round().cast(pl.Int64))
    soonest = wanted.sort("row", "due", "item_id").group_by("row", maintain_order=True).head(MOST)
    entry = pl.struct(
        "topic_id", "item_id", due_ds=day.dt.to_string("%Y-%m-%d"),
        cycle_days=pl.col("cycle_days").cast(pl.Float32),
    )  # fmt: skip
    return soonest.group_by("row", maintain_order=True).agg(due_again=entry)


def _purchases(chunk: Unpacked) -> pl.DataFrame:
    """One row per user, item and day of purchase, in order; `gap` since the one before, `gap_after`
    until the next."""
    bought = chunk.acts.filter(pl.col("kind") == "purchase", pl.col("item_id").is_not_null())
    days = bought.select("row", "item_id", "topic_id", "ago").unique()
    days = days.sort("row", "item_id", "ago", descending=[False, False, True])
    same = (pl.col("row") == pl.col("row").shift()) & (
        pl.col("item_id") == pl.col("item_id").shift()
    )
    gap = pl.when(same).then(pl.col("ago").shift() - pl.col("ago"))
    days = days.with_columns(gap=gap.cast(pl.Float64))
    days = days.filter(pl.col("gap").is_null() | (pl.col("gap") >= SHORTEST))
    following = pl.col("item_id") == pl.col("item_id").shift(-1)
    following &= pl.col("row") == pl.col("row").shift(-1)
    return days.with_columns(gap_after=pl.when(following).then(pl.col("gap").shift(-1)))
