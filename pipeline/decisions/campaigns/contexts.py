"""What a policy knows of a user: a segment and features, as `user_features` has them.

For a logged impression it is the newest day that served when it was shown (TIDEMARK_SERVING_DELAY_HOURS after its end),
so that no policy learns from what came after; what a later model said of that day does not count. A user who was not
published yet is "unknown".
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.features.known_rows import MODEL_DS
from pipeline.features.point_in_time import Timeline, by_day, zones
from pipeline.runtime.errors import CampaignError, NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import load_table
from pipeline.storage.declared import polars_rows
from pipeline.storage.reading import pinned_files
from pipeline.storage.retention import REMOVED
from pipeline.tables.columns import DAY, USER
from pipeline.tables.registry import USER_FEATURES
from pipeline.tables.schema import Column

UNKNOWN = "unknown"
COUNTS = ("recency_days", "active_days_28d", "events_28d", "purchases_28d", "spend_28d")
CHANCES = ("p_click_7d", "p_cart_7d", "p_purchase_28d", "p_churn_28d")
FEATURES = (*COUNTS, *CHANCES, "is_cold_start", "is_known")
LOG_SCALE = 5.0  # log1p of counts to about 0..1


@dataclass(frozen=True)
class Contexts:
    """Rows aligned with what was asked for: segment names, and rows x FEATURES."""

    segments: np.ndarray
    features: np.ndarray


def columns_of(segment_by: str) -> list[str]:
    """The columns of `user_features` to read. Raises CampaignError for an unknown segment."""
    usable = [column.name for column in USER_FEATURES.columns if _tells_apart(column)]
    if segment_by and segment_by not in usable:
        raise CampaignError(f"segment_by: expected one of {', '.join(usable)}, found {segment_by!r}")
    wanted = ["user_id", *COUNTS, *CHANCES, "is_cold_start", segment_by]
    return [name for name in dict.fromkeys(wanted) if name]


def contexts(users: pl.DataFrame, segment_by: str) -> Contexts:
    """Of rows of `user_features`; a row of nulls is an unknown user."""
    known = pl.col("recency_days").is_not_null()
    exprs = [(pl.col(name).cast(pl.Float64).log1p() / LOG_SCALE).alias(name) for name in COUNTS]
    exprs += [pl.col(name).cast(pl.Float64) for name in (*CHANCES, "is_cold_start")]
    features = users.select(*exprs, is_known=known.cast(pl.Float64)).fill_null(0.0)
    return Contexts(_segments(users, segment_by), features.select(FEATURES).to_numpy())


def logged_contexts(rows: pl.DataFrame, segment_by: str, settings: Settings) -> Contexts:
    """Of impressions (`event_time`, `user_id`): the newest day that served by then."""
    iceberg = load_table(settings, USER_FEATURES)
    timeline = Timeline([], [])
    if iceberg:
        timeline = by_day(iceberg, zones(settings), settings.serving_delay)
    at = timeline.at(rows["event_time"].dt.epoch("us").to_numpy())
    if lost := [timeline.states[n].ds for n in set(at.tolist()) if n >= 0 and timeline.states[n].is_lost]:
        raise NotPublishedError(
            f"user_features ds={min(lost)}: expected the features known when an impression was shown, found that "
            f"{REMOVED}; shorten feedback.days of the campaign, or keep more days before they go"
        )
    days = pl.Series([None, *(state.ds for state in timeline.states)], dtype=pl.String)
    keyed = rows.select("user_id", day=days.gather(at + 1))
    columns = [*columns_of(segment_by), MODEL_DS]
    found = []
    for day in keyed["day"].drop_nulls().unique().sort():
        users = keyed.filter(pl.col("day") == day)["user_id"].unique()
        frame = read_users(settings, day, columns).filter(pl.col("user_id").is_in(users.implode()))
        found.append(_without_hindsight(frame, day).collect(engine="streaming"))
    known = pl.concat(found) if found else _none(columns)
    joined = keyed.join(known, on=["user_id", "day"], how="left", maintain_order="left")
    return contexts(joined, segment_by)


def read_users(settings: Settings, ds: str, columns: list[str]) -> pl.LazyFrame:
    """Columns of `user_features` of a day; what an older file lacks is null."""
    _, files = pinned_files("user_features", ds, ds, settings)
    return polars_rows(USER_FEATURES, files, columns) if files else _none(columns).drop("day").lazy()


def _without_hindsight(users: pl.LazyFrame, day: str) -> pl.LazyFrame:
    """Without the chances that a model gave which was trained for a later day."""
    later = pl.col(MODEL_DS) > day
    chances = [pl.when(~later.fill_null(False)).then(pl.col(name)).alias(name) for name in CHANCES]
    return users.with_columns(*chances, day=pl.lit(day))


def _tells_apart(column: Column) -> bool:
    """Texts but ids and days, yes or no, and interests: topics, the first one the strongest."""
    kind = column.type
    if pa.types.is_list(kind):
        item = kind.value_type
        return pa.types.is_struct(item) and item.get_field_index("topic_id") >= 0
    is_text = pa.types.is_string(kind) and column.pattern not in (DAY, USER)
    return is_text or pa.types.is_boolean(kind)


def _segments(users: pl.DataFrame, segment_by: str) -> np.ndarray:
    if not segment_by:
        return np.full(len(users), "", dtype=object)
    column = users[segment_by]
    if isinstance(column.dtype, pl.List):
        column = column.list.first().struct.field("topic_id")
    return column.cast(pl.String).fill_null(UNKNOWN).to_numpy().astype(object)


def _none(columns: list[str]) -> pl.DataFrame:
    schema = pl.from_arrow(USER_FEATURES.schema.empty_table()).schema  # type: ignore[union-attr]
    return pl.DataFrame(schema={**{name: schema[name] for name in columns}, "day": pl.String})
