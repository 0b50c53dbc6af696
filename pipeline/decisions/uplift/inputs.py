"""What learners know of a user: every number of `user_features`, as known before entry.

Numbers stay numbers (counts and money as log(1 + x)), a text of a declared set becomes a column per value. Vectors,
lists and free texts are left out. NaN is what is null, or a user not known then.
"""

from datetime import timedelta

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.features.as_of_join import MAX_AGE, as_of
from pipeline.features.point_in_time import day_end, zones
from pipeline.runtime.days import shift
from pipeline.runtime.errors import LeakError, UpliftError
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import published
from pipeline.tables.registry import USER_FEATURES
from pipeline.tables.schema import Column


def _is_number(column: Column) -> bool:
    kind = column.type
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


NUMBERS = tuple(column for column in USER_FEATURES.columns if _is_number(column))
KINDS = tuple(c for c in USER_FEATURES.columns if pa.types.is_string(c.type) and c.values)
READ = tuple(column.name for column in (*NUMBERS, *KINDS))
COLUMNS = (
    *(column.name for column in NUMBERS),
    *(f"{column.name}={value}" for column in KINDS for value in column.values),
    "is_known",
)


def encode(rows: pl.DataFrame) -> np.ndarray:
    """[rows, COLUMNS] of rows with the columns READ."""
    numbers = [
        pl.col(c.name).cast(pl.Float32).log1p()
        if c.minimum == 0 and c.maximum is None
        else pl.col(c.name).cast(pl.Float32)
        for c in NUMBERS
    ]
    known = pl.col("recency_days").is_not_null()
    kinds = [
        pl.when(known).then(pl.col(c.name).eq_missing(pl.lit(value)).cast(pl.Float32)).alias(f"{c.name}={value}")
        for c in KINDS
        for value in c.values
    ]
    found = rows.select(*numbers, *kinds, is_known=known.cast(pl.Float32))
    return np.ascontiguousarray(found.fill_null(float("nan")).to_numpy(), dtype=np.float32)


def nights_before(days: np.ndarray, settings: Settings) -> np.ndarray:
    """Whether features of a night before each day were published, young enough to count."""
    nights = list(published(USER_FEATURES.name, settings))
    oldest = -1 - MAX_AGE.days
    has = {day: any(shift(day, oldest) <= night < day for night in nights) for day in np.unique(days)}
    return np.array([has[day] for day in days], bool)


def known_before(users: np.ndarray, days: np.ndarray, settings: Settings) -> np.ndarray:
    """[users, COLUMNS] as of the night before each user's day.

    Raises UpliftError where what a night holds was made by a model of a later day.
    """
    ends = {day: day_end(shift(day, -1), zones(settings)) for day in np.unique(days)}
    instants = pa.array([ends[day] for day in days], pa.int64()).cast(pa.timestamp("us", "UTC"))
    asked = pa.table({"user_id": pa.array(users, pa.string()), "event_timestamp": instants})
    try:
        # All that had happened before the day, whenever it was served: nothing of it follows from what was done.
        found = as_of(asked, READ, delay=timedelta(0), settings=settings)
    except LeakError as error:
        raise UpliftError(f"features are known only after entry: {error}") from None
    rows = pl.from_arrow(found.select(list(READ)))
    assert isinstance(rows, pl.DataFrame)
    return encode(rows)
