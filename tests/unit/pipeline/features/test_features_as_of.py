"""features.as_of by day: the newest day that was over, rows and order kept, nothing from later."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.features.as_of_join import as_of
from pipeline.runtime.errors import LeakError, NotPublishedError, UsageError
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import read
from tests.unit.pipeline.features.feature_days import ANN, BOB, EVE, at, features, publish_days

MON, TUE, WED, FRI = "2024-03-04", "2024-03-05", "2024-03-06", "2024-03-08"


def frame(*rows: tuple[str | None, str | None]) -> pa.Table:
    """An entity frame of (user, time), with a label that tells the rows apart."""
    users, times = zip(*rows, strict=True)
    return pa.table(
        {
            "label": pa.array(range(len(rows))),
            "user_id": pa.array(users, pa.string()),
            "event_timestamp": pa.array([time and at(time) for time in times], pa.timestamp("us", "UTC")),
        }
    )


def recency(found: pa.Table) -> list[int | None]:
    return found["recency_days"].to_pylist()


@pytest.fixture
def days(home: Settings) -> Settings:
    """Ann is known on Monday (1), Tuesday (2), Wednesday (3) and Friday (5), Bob from Tuesday."""
    ann = {ds: features(ANN, ds, recency_days=n) for ds, n in zip((MON, TUE, WED, FRI), (1, 2, 3, 5), strict=True)}
    bob = {ds: features(BOB, ds, recency_days=20) for ds in (TUE, WED, FRI)}
    publish_days(home, "r1", {ds: [ann[ds], *([bob[ds]] if ds in bob else [])] for ds in ann})
    return home


def test_a_row_sees_the_newest_day_that_was_over(days: Settings) -> None:
    found = as_of(
        frame(
            (ANN, f"{TUE}T10:00:00Z"),  # Tuesday is not over: Monday
            (ANN, f"{WED}T10:00:00Z"),
            (BOB, f"{WED}T10:00:00Z"),
            (ANN, f"{FRI}T10:00:00Z"),  # Thursday has no partition: Wednesday
            (ANN, f"{MON}T23:59:59Z"),  # nothing was known
        ),
        ["recency_days"],
    )
    assert recency(found) == [1, 2, 20, 3, None]
    assert found["feature_ds"].to_pylist() == [MON, TUE, TUE, WED, None]
    assert found.schema.names == [
        "label",
        "user_id",
        "event_timestamp",
        "feature_ds",
        "recency_days",
    ]


def test_at_midnight_the_day_before_is_over(days: Settings) -> None:
    found = as_of(
        frame(
            (ANN, f"{TUE}T23:59:59.999999Z"),
            (ANN, f"{WED}T00:00:00Z"),
            (ANN, f"{WED}T01:00:00+01:00"),  # the same instant
            (ANN, f"{WED}T00:00:00+01:00"),  # an hour before it
        ),
        ["recency_days"],
    )
    assert recency(found) == [1, 2, 2, 1]


def test_rows_order_duplicates_and_nulls_of_the_frame_are_kept(days: Settings) -> None:
    given_rows = frame(
        (EVE, f"{WED}T10:00:00Z"),  # without features
        (ANN, f"{WED}T10:00:00Z"),
        (None, f"{WED}T10:00:00Z"),
        (ANN, None),
        (BOB, f"{TUE}T10:00:00Z"),  # not known on Monday
        (ANN, f"{WED}T10:00:00Z"),  # the same row again
    )
    found = as_of(given_rows, ["recency_days"])
    assert found.select(["label", "user_id", "event_timestamp"]).equals(given_rows)
    assert recency(found) == [None, 2, None, None, None, 2]
    assert found["feature_ds"].to_pylist() == [None, TUE, None, None, None, TUE]


def test_features_grow_too_old(days: Settings) -> None:
    rows = frame((ANN, "2024-03-16T00:00:00Z"), (ANN, "2024-03-16T00:00:00.000001Z"))
    assert recency(as_of(rows, ["recency_days"])) == [5, None]  # 7 days after the end of Friday
    assert recency(as_of(rows, ["recency_days"], max_age=timedelta(days=8))) == [5, 5]
    late = frame((ANN, "2034-03-16T00:00:00Z"))
    assert recency(as_of(late, ["recency_days"], max_age=None)) == [5]


def test_the_only_day_grows_too_old_as_well(home: Settings) -> None:
    publish_days(home, "r1", {MON: [features(ANN, MON, recency_days=1)]})
    rows = frame((ANN, "2024-03-12T00:00:00Z"), (ANN, "2024-03-12T00:00:01Z"))
    assert recency(as_of(rows, ["recency_days"])) == [1, None]


def test_a_night_takes_its_time(days: Settings) -> None:
    rows = frame((ANN, f"{WED}T03:59:59Z"), (ANN, f"{WED}T04:00:00Z"))
    assert recency(as_of(rows, ["recency_days"], delay=timedelta(hours=4))) == [1, 2]


@pytest.mark.parametrize(
    ("zone", "ds", "last", "first"),
    [
        # clocks go forward on this Sunday: Saturday ends at 23:00 UTC, Sunday at 22:00 UTC
        ("Europe/Berlin", "2024-03-30", "2024-03-30T22:59:59Z", "2024-03-30T23:00:00Z"),
        ("Europe/Berlin", "2024-03-31", "2024-03-31T21:59:59Z", "2024-03-31T22:00:00Z"),
        # ... and back on this one, which has 25 hours
        ("Europe/Berlin", "2024-10-27", "2024-10-27T22:59:59Z", "2024-10-27T23:00:00Z"),
        # midnight itself is skipped: 00:00 becomes 01:00, at 22:00 UTC
        ("Asia/Beirut", "2024-03-30", "2024-03-30T21:59:59Z", "2024-03-30T22:00:00Z"),
        # midnight comes twice: the day is over at the first, 04:00 UTC
        ("America/Havana", "2024-11-02", "2024-11-03T03:59:59Z", "2024-11-03T04:00:00Z"),
    ],
)
def test_a_day_ends_at_midnight_where_the_business_is(
    home: Settings, zone: str, ds: str, last: str, first: str
) -> None:
    publish_days(home, "r1", {ds: [features(ANN, ds, recency_days=9)]})
    there = home.model_copy(update={"business_tz": zone})
    found = as_of(frame((ANN, last), (ANN, first)), ["recency_days"], settings=there)
    assert recency(found) == [None, 9]


def test_a_day_is_over_when_it_is_over_for_every_source(home: Settings) -> None:
    """A file of Monday holds what happened until Monday ended where its platform is."""
    publish_days(home, "r1", {MON: [features(ANN, MON, recency_days=9)]})
    (home.landing / "webshop").mkdir()  # of Berlin: its Monday ends at 23:00 UTC
    east = home.model_copy(update={"business_tz": "Asia/Tokyo"})  # whose ends at 15:00 UTC
    rows = frame((ANN, f"{MON}T15:00:00Z"), (ANN, f"{MON}T22:59:59Z"), (ANN, f"{MON}T23:00:00Z"))
    assert recency(as_of(rows, ["recency_days"], settings=east)) == [None, None, 9]


def test_all_columns_come_as_they_are_read(days: Settings) -> None:
    found = as_of(frame((ANN, f"{WED}T10:00:00Z"), (EVE, f"{WED}T10:00:00Z")))
    published = read("user_features", TUE)
    [ann] = [row for row in published.to_pylist() if row["user_id"] == ANN]
    first, second = found.to_pylist()
    assert {name: first[name] for name in ann if name != "ds"} == {
        name: value for name, value in ann.items() if name != "ds"
    }
    assert all(second[name] is None for name in ann if name not in ("ds", "user_id"))
    assert [found.schema.field(name).type for name in ann if name != "ds"] == [
        field.type for field in published.schema if field.name != "ds"
    ]


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
def test_frames_of_every_kind(days: Settings, kind: str) -> None:
    table = frame((BOB, f"{WED}T10:00:00Z"), (ANN, f"{WED}T10:00:00Z"))
    frames = {
        "pandas": table.to_pandas().iloc[::-1],  # with an index out of order
        "polars": pl.from_arrow(table).reverse(),  # type: ignore[union-attr]
        "arrow": table.take([1, 0]),
    }
    found = as_of(frames[kind], ["recency_days"])
    assert recency(found) == [2, 20]
    assert found["label"].to_pylist() == [1, 0]
    assert found.schema.names[:3] == ["label", "user_id", "event_timestamp"]


def test_an_empty_frame_gives_an_empty_one(days: Settings) -> None:
    found = as_of(frame((ANN, f"{WED}T10:00:00Z")).slice(0, 0), ["recency_days"])
    assert (found.num_rows, found.schema.names[-1]) == (0, "recency_days")


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        (
            pd.DataFrame({"user_id": ["a"]}),
            None,
            "expected the columns user_id and event_timestamp",
        ),
        (
            pd.DataFrame({"user_id": ["a"], "event_timestamp": [datetime(2024, 3, 5)]}),
            None,
            "with a time zone, found timestamp",
        ),
        (
            pd.DataFrame({"user_id": ["a"], "event_timestamp": ["2024-03-05"]}),
            None,
            "with a time zone, found ",
        ),
        (frame((ANN, None)), ["recency"], "user_features has no recency; see docs/reference/features.md"),
        (
            frame((ANN, None)).append_column("segment", [["x"]]),
            ["segment"],
            "has columns named as features: segment",
        ),
    ],
)
def test_what_does_not_fit_is_wrong_usage(
    days: Settings, rows: object, columns: list[str] | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        as_of(rows, columns)


def test_nothing_published_is_said(home: Settings) -> None:
    with pytest.raises(NotPublishedError, match="nothing has been published yet"):
        as_of(frame((ANN, None)))


def test_a_model_that_has_seen_later_days_is_refused(home: Settings) -> None:
    """A backfill scores old days with a newer model, which knows what came of them."""
    publish_days(home, "r1", {TUE: [features(ANN, TUE, model_ds=FRI, recency_days=2)]})
    rows = frame((ANN, f"{WED}T10:00:00Z"))
    with pytest.raises(LeakError) as leak:
        as_of(rows, ["recency_days", "p_purchase_7d"])
    assert str(leak.value) == (
        f"user_features ds={TUE}: expected features of a model that had seen no later day, found "
        f"one that was trained for {FRI}; leave out what it made (p_purchase_7d), read "
        "known='publication', or pass hindsight=True"
    )
    assert recency(as_of(rows, ["recency_days"])) == [2]  # counts know nothing of the model
    assert as_of(rows, ["p_purchase_7d"], hindsight=True)["p_purchase_7d"].is_valid().to_pylist() == [True]


def test_only_the_partitions_needed_are_read(days: Settings) -> None:
    """The files of other days are gone, and nobody misses them."""
    for ds in (MON, WED, FRI):
        for path in days.staging.rglob(f"{ds}/*.parquet"):
            path.unlink()
    found = as_of(frame((ANN, f"{WED}T10:00:00Z"), (BOB, f"{WED}T11:00:00Z")), ["recency_days"])
    assert recency(found) == [2, 20]


INSTANTS = st.datetimes(datetime(2024, 3, 3), datetime(2024, 3, 20)).map(lambda it: it.replace(tzinfo=UTC))


def test_it_equals_the_slow_and_simple_join(days: Settings) -> None:
    known = {
        (user, ds): number
        for user, numbers in {
            ANN: {MON: 1, TUE: 2, WED: 3, FRI: 5},
            BOB: dict.fromkeys((TUE, WED, FRI), 20),
        }.items()
        for ds, number in numbers.items()
    }
    entries = st.lists(st.tuples(st.sampled_from([ANN, BOB, EVE]), INSTANTS), min_size=1)

    @given(entries, st.integers(0, 10))
    @hypothesis_settings(max_examples=40, deadline=None)
    def check(rows: list[tuple[str, datetime]], age_days: int) -> None:
        age = timedelta(days=age_days)
        expected = []
        for user, time in rows:
            over = [ds for ds in (MON, TUE, WED, FRI) if end(ds) <= time]
            fresh = over and time - end(over[-1]) <= age
            expected.append(known.get((user, over[-1])) if fresh else None)
        entities = pa.table(
            {
                "user_id": [user for user, _ in rows],
                "event_timestamp": pa.array([time for _, time in rows], pa.timestamp("us", "UTC")),
            }
        )
        assert recency(as_of(entities, ["recency_days"], max_age=age, settings=days)) == expected

    check()


def end(ds: str) -> datetime:
    return datetime.fromisoformat(ds).replace(tzinfo=UTC) + timedelta(days=1)
