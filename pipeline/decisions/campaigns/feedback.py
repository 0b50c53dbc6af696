"""Logged feedback of a campaign: its impressions in `events`, and what each one earned.

A row that cannot be right is refused and named; where more than `most_refused` are, all of the feedback is. An
impression counts once its time to be answered is over, so that young ones do not look like failures.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.decisions.campaigns.campaign import Campaign
from pipeline.decisions.ope.log import LEAST_PROPENSITY
from pipeline.features.point_in_time import EPOCH, MICROSECOND, day_end, zones
from pipeline.runtime.days import shift
from pipeline.runtime.errors import FeedbackError
from pipeline.runtime.settings import Settings
from pipeline.storage.declared import arrow_rows
from pipeline.storage.persons import persons_as_of
from pipeline.storage.reading import pinned_files
from pipeline.tables.events import LATEST_HOURS_AFTER_DAY_BEGINS
from pipeline.tables.registry import EVENTS

COLUMNS = (
    "ds",
    "event_id",
    "account_id",
    "item_id",
    "event_type",
    "event_time",
    "campaign_id",
    "propensity",
    "price",
    "quantity",
)
# An event may be a day ahead of its arrival day's end in the westernmost zone, no more.
SKEW = timedelta(hours=LATEST_HOURS_AFTER_DAY_BEGINS - 24)
WHO = ["user_id", "campaign_id"]
OF_CONVERSIONS = ("early", "duplicate")  # reasons


@dataclass(frozen=True)
class Feedback:
    """`rows`: one per impression that counts, oldest first: ds, event_id, event_time, user_id, arm (number),
    propensity, reward, examined. `seen`: ds and user_id of every impression, refused ones too: they were shown.
    `refused`: reason -> event ids."""

    rows: pl.DataFrame
    seen: pl.DataFrame
    pending: int
    refused: dict[str, list[str]] = field(default_factory=dict)

    @property
    def refusals(self) -> int:
        return sum(len(ids) for ids in self.refused.values())

    @property
    def logged(self) -> int:
        """Impressions, and the conversions that are refused."""
        return len(self.seen) + sum(len(self.refused.get(it, ())) for it in OF_CONVERSIONS)


def read_feedback(campaign: Campaign, settings: Settings, ds: str) -> tuple[int | None, Feedback]:
    """The snapshot of `events` that was read, and the feedback of the days up to `ds`, of persons as known then."""
    first = shift(ds, 1 - campaign.feedback_days)
    snapshot, files = pinned_files("events", first, ds, settings)
    ids = [arm.campaign_id for arm in campaign.arms]
    if not files:
        return snapshot, match(pl.DataFrame(schema=EMPTY), campaign, log_end(settings, ds))
    rows = arrow_rows(EVENTS, files, [*COLUMNS, "attributes"], pc.field("campaign_id").isin(ids))
    place = pc.map_lookup(rows["attributes"], pa.scalar("position"), "first")
    frame = pl.from_arrow(rows.drop_columns("attributes").append_column("position", place))
    assert isinstance(frame, pl.DataFrame)
    return snapshot, match(persons_as_of(settings, ds).of(frame), campaign, log_end(settings, ds))


def impressions_since(campaign: Campaign, settings: Settings, first: str, ds: str) -> int:
    """All impressions of the campaign's arms from `first` to `ds`."""
    _, files = pinned_files("events", first, ds, settings)
    mine = pc.field("campaign_id").isin([arm.campaign_id for arm in campaign.arms])
    return arrow_rows(EVENTS, files, ["ds"], mine & (pc.field("event_type") == "impression")).num_rows


def log_end(settings: Settings, ds: str) -> datetime:
    """Until when the log of the days up to `ds` is whole: the first of its zones' midnights."""
    return EPOCH + MICROSECOND * min(day_end(ds, [zone]) for zone in zones(settings))


def match(events: pl.DataFrame, campaign: Campaign, ended: datetime) -> Feedback:
    """Impressions with what they earned, from events of the campaign's arms up to `ended`."""
    shown = _impressions(events.filter(pl.col("event_type") == "impression"), campaign)
    seen = shown.select("ds", "user_id")
    earned, refused = _conversions(events, shown, campaign)
    for reason, bad in (
        ("propensity", ~pl.col("propensity").is_between(LEAST_PROPENSITY, 1).fill_null(False)),
        ("clock", pl.col("event_time") >= _midnight(pl.col("ds")) + SKEW),
    ):
        ids = shown.filter(bad)["event_id"].to_list()
        refused |= {reason: ids} if ids else {}
        shown = shown.filter(~bad)
    ripe = pl.col("event_time") <= ended - timedelta(hours=campaign.reward.within_hours)
    rows = (
        shown.filter(ripe)
        .join(earned, on="event_id", how="left", maintain_order="left")
        .with_columns(pl.col("reward").fill_null(0.0))
        .select("ds", "event_id", "event_time", "user_id", "arm", "propensity", "reward", "examined")
    )
    return Feedback(rows, seen, len(shown) - len(rows), refused)


def refuse_if_bad(campaign: Campaign, feedback: Feedback) -> None:
    """Raises FeedbackError naming rows when more of them were refused than is tolerated."""
    if feedback.refusals <= campaign.most_refused * feedback.logged:
        return
    said = "; ".join(
        f"{MEANINGS[reason]}: {len(ids)} rows such as event {ids[0]}" for reason, ids in feedback.refused.items()
    )
    raise FeedbackError(
        f"campaign {campaign.name}: expected at most {campaign.most_refused:.1%} of "
        f"{feedback.logged} rows to be refused, found {feedback.refusals}: {said}; mend the log"
    )


def _impressions(shown: pl.DataFrame, campaign: Campaign) -> pl.DataFrame:
    numbers = {arm.campaign_id: number for number, arm in enumerate(campaign.arms)}
    return shown.with_columns(
        arm=pl.col("campaign_id").replace_strict(numbers, return_dtype=pl.Int32),
        examined=pl.col("position").replace_strict(
            dict(campaign.positions), default=campaign.positions[0][1], return_dtype=pl.Float64
        ),
    ).sort("event_time", "event_id")


def _conversions(
    events: pl.DataFrame, shown: pl.DataFrame, campaign: Campaign
) -> tuple[pl.DataFrame, dict[str, list[str]]]:
    """Reward per impression (`event_id`), each answered once: by all items of what was bought."""
    reward, window = campaign.reward, timedelta(hours=campaign.reward.within_hours)
    answers = events.filter(pl.col("event_type") == reward.event)
    known = shown.select(*WHO, "event_time", impression="event_id", shown_at="event_time")
    found = answers.sort("event_time", "event_id").join_asof(
        known.sort("event_time"), on="event_time", by=WHO, check_sortedness=False
    )
    orphans, begins = found.filter(pl.col("impression").is_null()), events["event_time"].min()
    if isinstance(begins, datetime):  # an early one may answer what was shown before the log begins
        orphans = orphans.filter(pl.col("event_time") >= begins + window)
    found = found.filter(pl.col("event_time") - pl.col("shown_at") <= window)
    again = ~pl.struct("impression", "item_id").is_first_distinct()
    twice = found.filter(again)["event_id"].to_list()
    revenue = (pl.col("price") * pl.col("quantity")).fill_null(0.0).sum()
    worth = revenue if reward.value == "revenue" else pl.lit(1.0)
    earned = found.filter(~again).group_by(event_id="impression").agg(reward=worth)
    refused = {"early": orphans["event_id"].to_list(), "duplicate": twice}
    return earned, {reason: ids for reason, ids in refused.items() if ids}


def _midnight(day: pl.Expr) -> pl.Expr:
    return day.str.to_datetime("%Y-%m-%d", time_unit="us", time_zone="UTC")


MEANINGS = {
    "propensity": "a propensity that is missing, underflowed, 0 or above 1",
    "clock": "an impression later than its arrival day",
    "early": "a conversion without an impression before it",
    "duplicate": "a second conversion of one impression to the same item",
}
EMPTY: dict[str, Any] = {
    **dict.fromkeys((*COLUMNS, "user_id", "position"), pl.String),
    "event_time": pl.Datetime("us", "UTC"),
    **dict.fromkeys(("propensity", "price", "quantity"), pl.Float64),
}
