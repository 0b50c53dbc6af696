"""as_of gives each kind of frame the same answers, and takes no time, user or column for another."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.features.as_of_join import as_of
from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings
from tests.unit.pipeline.features.feature_days import ANN, BOB, EVE, features, publish_days

DAYS = ("2024-03-04", "2024-03-05", "2024-03-08")
FIRST = datetime(2024, 3, 4, tzinfo=UTC)
UTC_TIMES = pa.timestamp("us", "UTC")
labels = st.tuples(
    st.sampled_from([ANN, BOB, EVE, None]), st.one_of(st.none(), st.integers(0, 14 * 24).map(lambda h: h * 3600))
)


@pytest.fixture
def days(home: Settings) -> Settings:
    """Ann has a row on each day, Bob on the second alone."""
    rows = {ds: [features(ANN, ds, recency_days=n)] for n, ds in enumerate(DAYS)}
    rows[DAYS[1]].append(features(BOB, DAYS[1], recency_days=20))
    publish_days(home, "r1", rows)
    return home


def kinds(table: pa.Table) -> dict[str, object]:
    """The same labels as frames of every kind, with times in other units and zones."""
    polars = pl.from_arrow(table)
    assert isinstance(polars, pl.DataFrame)
    east = table.set_column(1, "event_timestamp", table["event_timestamp"].cast(pa.timestamp("ms", "+05:30")))
    pandas = table.to_pandas()
    return {
        "pandas": pandas,
        "pandas, categories": pandas.astype({"user_id": "category"}),
        "pandas, objects": pandas.assign(event_timestamp=pd.Series(table["event_timestamp"].to_pylist(), dtype=object)),
        "polars": polars,
        "polars, lazy and categories": polars.lazy().with_columns(pl.col("user_id").cast(pl.Categorical)),
        "arrow, categories": table.set_column(0, "user_id", table["user_id"].dictionary_encode()),
        "arrow, large text": table.set_column(0, "user_id", table["user_id"].cast(pa.large_string())),
        "arrow, another zone": east,
        "a reader": table.to_reader(),
    }


@hypothesis_settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(labels, min_size=1, max_size=12))
def test_the_same_answers_for_each_kind_of_frame(days: Settings, rows: list[tuple[str | None, int | None]]) -> None:
    users, seconds = zip(*rows, strict=True)
    times = [None if it is None else FIRST + timedelta(seconds=it) for it in seconds]
    if all(it is None for it in times):
        times[0] = FIRST  # a frame of objects without any time has no type of times
    table = pa.table({"user_id": pa.array(users, pa.string()), "event_timestamp": pa.array(times, UTC_TIMES)})
    expected = as_of(table, ["recency_days"], settings=days).to_pylist()
    for kind, frame in kinds(table).items():
        assert as_of(frame, ["recency_days"], settings=days).to_pylist() == expected, kind


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_no_unit_of_time_reaches_into_the_next_day(days: Settings, unit: str) -> None:
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    midnight = int(datetime(2024, 3, 5, tzinfo=UTC).timestamp()) * scale
    times = pa.array([midnight - 1, midnight], pa.int64()).cast(pa.timestamp(unit, "UTC"))
    found = as_of(pa.table({"user_id": [ANN, ANN], "event_timestamp": times}), ["recency_days"], settings=days)
    assert found["recency_days"].to_pylist() == [None, 0]


def test_an_empty_frame_of_any_kind(days: Settings) -> None:
    for frame in (pd.DataFrame({"user_id": [], "event_timestamp": []}, dtype=object), pl.DataFrame(schema=SCHEMA)):
        assert as_of(frame, ["recency_days"], settings=days).num_rows == 0


SCHEMA = {"user_id": pl.String, "event_timestamp": pl.Datetime("us", "UTC")}
SOUND = pd.DataFrame({"user_id": [ANN], "event_timestamp": [FIRST]})


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (SOUND.assign(label_at=[datetime(2024, 3, 4)]), "expected label_at as timestamps with a time zone"),
        (SOUND.assign(event_timestamp=[datetime(2024, 3, 4)]).astype({"event_timestamp": "category"}), "with a time z"),
        (SOUND.assign(event_timestamp=[FIRST.date()]), "with a time zone, found date32"),
        (SOUND.assign(user_id=[7]), "expected user_id as text, found int64"),
        (SOUND.set_index("user_id"), r"found no user_id among event_timestamp; .*reset_index"),
        (pd.concat([SOUND, SOUND["user_id"]], axis=1), "expected each column once, found 'user_id' again"),
        (
            pa.table({"user_id": [ANN], "event_timestamp": pa.array([2**62], pa.timestamp("s", "UTC"))}),
            "expected event_timestamp between the years 1 and 9999",
        ),
    ],
)
def test_what_could_be_taken_for_something_else_is_refused(days: Settings, frame: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        as_of(frame, ["recency_days"], settings=days)
