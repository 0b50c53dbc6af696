"""How abruptly a user's behaviour changed: the last week against all before."""

import numpy as np
import polars as pl

from spark_jobs.behaviour.unpacked import ENGAGED, Unpacked

CHANGES = ("new_topics", "new_hours", "new_prices", "new_pace", "new_quantities")
RECENT_DAYS = 7
FEWEST = 6  # events on both sides, to compare them
VISIT_SECONDS = 1800
HOURS = 4  # hours of the day are compared in parts of this many hours


def timed(chunk: Unpacked) -> pl.DataFrame:
    """The events with the hour of the day (UTC) and the pause before each within a visit."""
    second = pl.col("time").dt.epoch("s")
    pause = (second.diff()).cast(pl.Float64)
    within = (pl.col("row") == pl.col("row").shift()) & (pause <= VISIT_SECONDS)
    return chunk.acts.with_columns(
        pause=pl.when(within).then(pl.max_horizontal(pause, pl.lit(0.2))),
        hour=pl.col("time").dt.hour(),
    )


def changes(chunk: Unpacked) -> dict[str, np.ndarray]:
    """The last RECENT_DAYS compared with everything before, measured by the user's own spread."""
    is_recent = pl.col("ago") < RECENT_DAYS
    acts = timed(chunk).with_columns(recent=is_recent, part=pl.col("hour") // HOURS)
    acts = acts.filter(_can_compare(chunk.size, acts["row"].to_numpy(), acts["recent"].to_numpy()))
    seen = acts.filter(pl.col("kind").is_in(ENGAGED))
    price = (pl.col("price").log() - pl.col("usual_price")).filter(pl.col("price") > 0)
    bought = pl.col("quantity").log1p().filter(pl.col("kind") == "purchase")
    pause = pl.col("pause").log()
    return {
        "new_topics": _surprise(chunk, seen.drop_nulls("topic"), "topic"),
        "new_hours": _surprise(chunk, acts, "part"),
        "new_prices": _jump(chunk, seen, price),
        "new_pace": _jump(chunk, acts, pause),
        "new_quantities": _jump(chunk, seen, bought),
    }


def _can_compare(size: int, row: np.ndarray, recent: np.ndarray) -> pl.Series:
    """[events] whether their user has at least FEWEST on both sides; most users do not."""
    new = np.bincount(row, recent, size)
    old = np.bincount(row, minlength=size) - new
    return pl.Series(((new >= FEWEST) & (old >= FEWEST))[row], dtype=pl.Boolean)


def _surprise(chunk: Unpacked, acts: pl.DataFrame, what: str) -> np.ndarray:
    """[users] G statistic (Sokal & Rohlf 1981) of `what`, recent against before; as a normal score per degree of
    freedom (Fisher), so that users of many topics are not more surprising."""
    both = pl.col("row").cast(pl.UInt64) * 2**24 + pl.col(what).cast(pl.UInt64)
    counts = acts.group_by(both.alias("cell")).agg(
        pl.first("row"),
        new=pl.col("recent").sum().cast(pl.Float64),
        old=(~pl.col("recent")).sum().cast(pl.Float64),
    )
    sums = counts.group_by("row").agg(
        pl.len().cast(pl.Int64).alias("kinds"),
        pl.col("new", "old").sum(),
        *[(pl.col(n) * pl.col(n).log()).fill_nan(0).sum().alias(f"{n}_log") for n in ("new", "old")],
        all_log=((pl.col("new") + pl.col("old")) * (pl.col("new") + pl.col("old")).log()).sum(),
    )
    new, old = pl.col("new"), pl.col("old")
    both = new + old
    given = new * new.log() + old * old.log() - both * both.log()
    g = 2 * (pl.col("new_log") + pl.col("old_log") - pl.col("all_log") - given)
    score = (2 * g.clip(0)).sqrt() - (2 * pl.col("kinds") - 3).clip(0).sqrt()
    enough = sums.filter(new >= FEWEST, old >= FEWEST)
    return chunk.column(enough.select("row", score=score), "score")


def _jump(chunk: Unpacked, acts: pl.DataFrame, value: pl.Expr) -> np.ndarray:
    """[users] how far the mean of `value` moved, in units of the user's own spread plus 0.25."""
    sides = (
        acts.group_by("row", "recent")
        .agg(mean=value.mean(), spread=value.std(), number=value.count())
        .filter(pl.col("number") >= FEWEST // 2)
    )
    new, old = sides.filter("recent"), sides.filter(~pl.col("recent"))
    both = new.join(old, on="row", suffix="_old")
    moved = (pl.col("mean") - pl.col("mean_old")).abs() / (pl.col("spread_old").fill_null(0) + 0.25)
    return chunk.column(both.select("row", moved=moved), "moved")
