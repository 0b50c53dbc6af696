"""Frames of every kind become the same Arrow table, and what would change on the way is refused."""

from datetime import UTC, datetime, time, timedelta, timezone

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pipeline.runtime.errors import UsageError
from pipeline.runtime.frames import arrow_of, refuse_naive, shown

NINE = datetime(2026, 3, 31, 9, tzinfo=UTC)
ROWS = {"kind": ["a", "b", "a"], "at": [NINE, None, NINE], "n": [1, 2, 3]}


def frames() -> dict[str, object]:
    pandas, polars = pd.DataFrame(ROWS), pl.DataFrame(ROWS)
    table = pa.table(ROWS)
    return {
        "pandas": pandas,
        "pandas, categories": pandas.astype({"kind": "category"}),
        "pandas, an index": pandas.set_index(pd.Index([7, 7, 1])),
        "pandas, objects": pandas.astype({"at": object}),
        "polars": polars,
        "polars, lazy": polars.lazy().filter(pl.col("n") > 0),
        "polars, categories": polars.with_columns(pl.col("kind").cast(pl.Categorical)),
        "polars, an enum": polars.with_columns(pl.col("kind").cast(pl.Enum(["b", "a"]))),
        "arrow": table,
        "arrow, a reader": table.to_reader(),
        "arrow, a batch": table.to_batches()[0],
    }


@pytest.mark.parametrize("kind", frames())
def test_every_kind_gives_the_same_rows(kind: str) -> None:
    found = arrow_of(frames()[kind], "labels", UsageError)
    assert found.schema.names == ["kind", "at", "n"]
    assert found.to_pylist() == pa.table(ROWS).to_pylist()
    assert found["kind"].type == pa.string()
    refuse_naive(found, "labels", UsageError)


EAST = NINE.astimezone(timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ([1], "labels: expected a pandas, Polars or Arrow frame, found list"),
        ("labels.csv", "labels: expected a pandas, Polars or Arrow frame, found str"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "labels: expected each column once, found 'a' again"),
        (pa.table([[1], [2]], names=["a", "a"]), "labels: expected each column once, found 'a' again"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "labels: expected each column once, found '1' again"),
        (pd.DataFrame({"u": ["x", 7]}), "labels, row 1: u: expected values of one type, found 7 (int)"),
        (pd.DataFrame({"u": ["x", ["\n" * 99]]}), "labels, row 1: u: expected values of one type, found ['\\n\\n"),
        (pl.DataFrame({"u": [object()]}, schema={"u": pl.Object}), "labels: u: expected values of one type, found Py"),
        (
            pd.DataFrame({"at": pd.Series([EAST, None, NINE.replace(tzinfo=None)], dtype=object)}),
            "labels, row 2: at: expected times with a time zone, found '2026-03-31 09:00:00' without one",
        ),
    ],
)
def test_what_would_change_on_the_way_is_refused(frame: object, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        arrow_of(frame, "labels", UsageError)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_zones_may_differ_from_row_to_row() -> None:
    found = arrow_of(pd.DataFrame({"at": pd.Series([NINE, EAST], dtype=object)}), "labels", UsageError)
    assert found["at"].to_pylist() == [NINE, NINE]


def test_times_of_the_day_have_no_zone_to_lack() -> None:
    assert arrow_of(pd.DataFrame({"opens": [time(9)]}), "labels", UsageError)["opens"].to_pylist() == [time(9)]


@pytest.mark.parametrize("as_categories", [False, True])
def test_a_column_of_naive_times_is_named_with_its_first_row(as_categories: bool) -> None:
    times = pa.chunked_array([pa.array([None, datetime(2026, 3, 31, 9)], pa.timestamp("us"))])
    table = pa.table({"at": [NINE, NINE], "label_at": times.dictionary_encode() if as_categories else times})
    with pytest.raises(UsageError) as caught:
        refuse_naive(table, "labels", UsageError)
    assert str(caught.value).startswith(
        "labels: expected label_at as timestamps with a time zone, found timestamp[us], such as 2026-03-31 09:00:00 in "
        "row 1; without a zone it is unknown which day was over"
    )


def test_long_values_are_cut() -> None:
    assert shown("x\n") == "'x\\n'"
    assert len(shown("x" * 1000)) == 80
