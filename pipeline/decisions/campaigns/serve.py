"""The rows of `ad_policy`: every user who may be shown the campaign, a batch at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.decisions.campaigns.audience import Audience
from pipeline.decisions.campaigns.campaign import WEEK, Campaign
from pipeline.decisions.campaigns.contexts import columns_of, contexts, read_users
from pipeline.decisions.campaigns.learned import Learned
from pipeline.decisions.experiments.assignment import assign
from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings
from pipeline.tables.policies import AD_POLICY, ARM_CHANCES

BATCH_ROWS = 50_000


@dataclass(frozen=True)
class Variant:
    """A policy that serves, under its label."""

    label: str
    learned: Learned


@dataclass(frozen=True)
class Limits:
    """What budget and caps leave of the day after `ds`. `week`: impressions per user so far."""

    show_probability: float
    per_day: int
    per_week: int
    week: pl.DataFrame  # user_id, shown


def limits_of(campaign: Campaign, seen: pl.DataFrame, spent: int, ds: str, shares: dict[str, float]) -> Limits:
    """The budget is spread over as many occasions as there were a day in the last week.

    `spent` are the impressions since the first day of a budget in total. `shares` are those of the occasions of a day
    that were used: an impression of a day that used half of them stands for two.
    """
    before = seen.filter(pl.col("ds") > shift(ds, -WEEK))["ds"].to_list()
    expected = sum(1 / shares.get(day, 1.0) for day in before) / max(len(set(before)), 1)
    budgets = [campaign.daily_impressions] if campaign.daily_impressions else []
    if campaign.total_impressions:
        budgets.append(max(campaign.total_impressions - spent, 0))
    left = min(budgets, default=None)
    show = 1.0 if left is None else min(1.0, left / expected if expected else float(left > 0))
    # the cap of a week holds for the six days before and the one that is decided
    week = seen.filter(pl.col("ds") > shift(ds, 1 - WEEK)).group_by("user_id").agg(shown=pl.len())
    return Limits(show, campaign.cap_per_day, campaign.cap_per_week, week)


def user_batches(settings: Settings, ds: str, segment_by: str) -> Iterator[pl.DataFrame]:
    """The columns of `user_features` that policies read, in batches of equal size."""
    frame = read_users(settings, ds, columns_of(segment_by))
    yield from frame.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)


def serve(
    campaign: Campaign,
    users: pl.DataFrame,
    audience: Audience,
    variants: list[Variant],
    limits: Limits,
    ds: str,
) -> pa.Table:
    """Rows of `ad_policy` for a batch of users; who is not admitted has none.

    The second variant, where there is one, serves the experiment's share of users.
    """
    admitted = audience.admits(users["user_id"].to_arrow().cast(pa.string()))
    users = users.filter(pl.Series(admitted.to_numpy(zero_copy_only=False)))
    known, ids = contexts(users, campaign.segment_by), users["user_id"].to_numpy()
    chances = variants[0].learned.of(ids, known.segments, known.features)
    variant = np.zeros(len(users), int)
    if len(variants) > 1 and len(users):
        variant = experiment_arm(campaign, ids)
        tried = variants[1].learned.of(ids, known.segments, known.features)
        chances = np.where(variant[:, None] == 1, tried, chances)
    labels = pa.array([it.label for it in variants])
    columns = {
        "ds": pa.repeat(ds, len(users)),
        "campaign": pa.repeat(campaign.name, len(users)),
        "user_id": users["user_id"].to_arrow().cast(pa.string()),
        "segment": pa.array(known.segments, pa.string()) if campaign.segment_by else pa.nulls(len(users), pa.string()),
        "policy": labels.take(pa.array(variant)),
        "variant": pa.array(["champion", "challenger"]).take(pa.array(variant)),
        "arms": _arm_chances(campaign, chances),
        "position": pa.repeat(campaign.positions[0][0], len(users)),
        "show_probability": pa.array(np.full(len(users), limits.show_probability, np.float32)),
        "impressions_left": _impressions_left(limits, users),
    }
    return pa.table(columns, schema=AD_POLICY.schema)


def experiment_arm(campaign: Campaign, users: np.ndarray) -> np.ndarray:
    """1 for the users who try the challenger, by a hash salted with the campaign's name."""
    share = campaign.experiment_share
    return assign(users, f"policy:{campaign.name}", (1 - share, share)).astype(int)


def _arm_chances(campaign: Campaign, chances: np.ndarray) -> pa.Array:
    rows, arms = chances.shape
    names = pa.array([arm.name for arm in campaign.active])
    entries = pa.StructArray.from_arrays(
        [names.take(pa.array(np.tile(np.arange(arms), rows))), pa.array(chances.astype(np.float32).ravel())],
        fields=list(ARM_CHANCES.value_type),
    )
    offsets = pa.array(np.arange(0, rows * arms + 1, arms, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, entries, type=ARM_CHANCES)


def _impressions_left(limits: Limits, users: pl.DataFrame) -> pa.Array:
    if not limits.per_day and not limits.per_week:
        return pa.nulls(len(users), pa.int32())
    left = np.full(len(users), limits.per_day or np.iinfo(np.int32).max, np.int64)
    if limits.per_week:
        shown = (
            users.select("user_id")
            .join(limits.week, on="user_id", how="left", maintain_order="left")["shown"]
            .fill_null(0)
        )
        left = np.minimum(left, np.maximum(limits.per_week - shown.to_numpy().astype(int), 0))
    return pa.array(left.astype(np.int32))
