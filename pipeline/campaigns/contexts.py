"""What a policy knows of a user: a segment and features, as `user_features` has them.

For a logged impression it is what was published before the day of the impression, so that no
policy learns from what came after. A user who was not published yet is "unknown".
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.errors import CampaignError
from pipeline.reading import pinned_files, published
from pipeline.settings import Settings
from pipeline.tables import USER_FEATURES

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
    usable = [field.name for field in USER_FEATURES.schema if _tells_apart(field.type)]
    if segment_by and segment_by not in usable:
        raise CampaignError(
            f"segment_by: expected one of {', '.join(usable)}, found {segment_by!r}; correct the "
            "campaign file"
        )
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
    """Of impressions (`ds`, `user_id`): the newest publication before each one's day."""
    days = list(published("user_features", settings))
    needed = {ds: max((day for day in days if day < ds), default=None)
              for ds in rows["ds"].unique()}  # fmt: skip
    columns = columns_of(segment_by)
    keyed = rows.select("user_id", day=pl.col("ds").replace_strict(needed, return_dtype=pl.String))
    found = []
    for day in sorted({day for day in needed.values() if day}):
        users = keyed.filter(pl.col("day") == day)["user_id"].unique()
        frame = read_users(settings, day, columns).filter(pl.col("user_id").is_in(users.implode()))
        found.append(frame.with_columns(day=pl.lit(day)).collect(engine="streaming"))
    known = pl.concat(found) if found else _none(columns)
    joined = keyed.join(known, on=["user_id", "day"], how="left", maintain_order="left")
    return contexts(joined, segment_by)


def read_users(settings: Settings, ds: str, columns: list[str]) -> pl.LazyFrame:
    """Columns of `user_features` of a day; what an older file lacks is null."""
    _, files = pinned_files("user_features", ds, ds, settings)
    paths = [path.removeprefix("file://") for path in files]
    if not paths:
        return _none(columns).drop("day").lazy()
    frames = []
    for path in paths:
        frame = pl.scan_parquet(path)
        there = set(frame.collect_schema().names())
        wanted = [pl.col(name) if name in there else pl.lit(None).alias(name) for name in columns]
        frames.append(frame.select(wanted))
    return pl.concat(frames, how="vertical_relaxed")


def _tells_apart(kind: pa.DataType) -> bool:
    """Texts, yes or no, and interests: a list of topics, the first one the strongest."""
    if pa.types.is_list(kind):
        item = kind.value_type
        return pa.types.is_struct(item) and item.get_field_index("topic_id") >= 0
    return pa.types.is_string(kind) or pa.types.is_boolean(kind)


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
