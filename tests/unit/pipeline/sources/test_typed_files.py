"""Parquet and ORC: every type in one that Spark has, values unchanged, and files that would not fit refused."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import orc

from pipeline.runtime.errors import LandingError
from pipeline.sources import typed_files
from pipeline.sources.landed_file import inspect
from pipeline.sources.source import Drop
from pipeline.sources.typed_files import arrow_schema, batches, in_types, int96_columns, readable_schema

NOON = datetime(2026, 3, 31, 12, 0, 0, 123456)


def read(path: Path, format_: str = "parquet", parts: int = 1) -> pa.Table:
    """The file in the types in which it is read, by `parts` tasks."""
    _, schema = readable_schema(path, path.name, format_)
    pieces = [it for part in range(parts) for it in batches(str(path), path.name, format_, part, parts)]
    pieces.sort(key=lambda piece: piece[0])
    rows = [in_types(batch, schema, path.name, first) for first, batch in pieces]
    assert [first for first, _ in pieces] == [sum(len(it) for it in rows[:n]) for n in range(len(rows))]
    return pa.Table.from_batches(rows, schema)


@pytest.mark.parametrize(
    ("kind", "value", "becomes", "found"),
    [
        (pa.timestamp("ns", "UTC"), NOON.replace(tzinfo=UTC), pa.timestamp("us", "UTC"), NOON.replace(tzinfo=UTC)),
        (pa.timestamp("ns"), NOON, pa.timestamp("us"), NOON),
        (pa.timestamp("ms", "Europe/Berlin"), NOON.replace(tzinfo=UTC, microsecond=0), pa.timestamp("us", "UTC"), None),
        (pa.date64(), date(2026, 3, 31), pa.date32(), date(2026, 3, 31)),
        (pa.uint64(), 2**64 - 1, pa.decimal128(20, 0), Decimal(2**64 - 1)),
        (pa.int64(), 2**53 + 1, pa.int64(), 2**53 + 1),
        (pa.decimal128(38, 5), Decimal("123.45000"), pa.decimal128(38, 5), Decimal("123.45000")),
        (pa.decimal256(50, 2), Decimal("123.45"), pa.string(), "123.45"),
        (pa.time64("us"), time(12, 30), pa.string(), "12:30:00.000000"),
        (pa.duration("us"), timedelta(seconds=1), pa.string(), "1000000"),
        (pa.large_string(), "a", pa.string(), "a"),
        (pa.dictionary(pa.int8(), pa.string()), "a", pa.string(), "a"),
        (pa.large_binary(), b"a", pa.binary(), b"a"),
        (pa.float16(), 1.5, pa.float32(), 1.5),
        (pa.null(), None, pa.string(), None),
        (pa.large_list(pa.uint32()), [1], pa.list_(pa.int64()), [1]),
        (pa.struct([("t", pa.timestamp("ns"))]), {"t": NOON}, pa.struct([("t", pa.timestamp("us"))]), {"t": NOON}),
        (pa.map_(pa.string(), pa.int8()), [("k", 1)], pa.map_(pa.string(), pa.int8()), [("k", 1)]),
    ],
)
def test_types(tmp_path: Path, kind: pa.DataType, value: Any, becomes: pa.DataType, found: Any) -> None:
    path = tmp_path / "a+b %20 ü.parquet"
    table = pa.table({"a.b:c`d": pa.array([value, None], kind)})
    pq.write_table(table, path)
    rows = read(path)
    assert rows.schema.types == [becomes]
    assert rows.column(0).to_pylist() == [value if found is None else found, None]


def test_int96_is_an_instant(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    old = datetime(1, 1, 1)
    pq.write_table(
        pa.table({"t": pa.array([NOON, old], pa.timestamp("us"))}), path, use_deprecated_int96_timestamps=True
    )
    assert int96_columns(path) == {"t"}
    assert read(path)["t"].to_pylist() == [NOON.replace(tzinfo=UTC), old.replace(tzinfo=UTC)]


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.one_of(st.none(), st.text(st.characters(exclude_categories=("Cs",)), max_size=5)),
            "line": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
            "x": st.one_of(st.none(), st.floats(allow_nan=False)),
            "at": st.one_of(st.none(), st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1))),
            "tags": st.one_of(st.none(), st.lists(st.integers(0, 9), max_size=3)),
        }
    ),
    min_size=1,
    max_size=20,
)
SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("line", pa.int64()),
        ("x", pa.float64()),
        ("at", pa.timestamp("us")),
        ("tags", pa.list_(pa.int64())),
    ]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=ROWS,
    format_=st.sampled_from(["parquet", "orc"]),
    compression=st.sampled_from(["zstd", "snappy", "lz4", "uncompressed"]),
    parts=st.sampled_from([1, 3]),
)
def test_a_table_comes_back_equal(tmp_path: Path, rows: list, format_: str, compression: str, parts: int) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA)
    path = tmp_path / f"x.{format_}"
    if format_ == "orc":
        orc.write_table(table, path, compression=compression)
    else:
        pq.write_table(
            table, path, compression="none" if compression == "uncompressed" else compression, row_group_size=3
        )
    assert read(path, format_, parts).to_pylist() == rows


def test_a_value_that_does_not_fit_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"t": pa.array([0, 2**62], pa.int64()).cast(pa.timestamp("ms"))}), path)
    with pytest.raises(
        LandingError, match=r"x\.parquet: rows from 1 on, column t: expected values that fit timestamp\[us"
    ):
        read(path)


def test_files_that_would_not_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": ["x" * 100_000] * 40}), path, use_dictionary=False, compression="zstd")
    monkeypatch.setattr(typed_files, "LARGEST_ROW", 50_000)
    with pytest.raises(LandingError, match=r"row group 0: expected records of at most 0 MiB, found 40 in 3 MiB"):
        arrow_schema(path, "x.parquet", "parquet")
    monkeypatch.setattr(typed_files, "LARGEST_GROUP", 1 << 20)
    with pytest.raises(LandingError, match=r"x\.parquet: row group 0: expected at most 0 GiB, found 3 MiB"):
        arrow_schema(path, "x.parquet", "parquet")
    monkeypatch.setattr(typed_files, "BOMB_BYTES", 1 << 20)
    with pytest.raises(LandingError, match="found a Parquet file that unpacks to more than 300 times its size"):
        arrow_schema(path, "x.parquet", "parquet")


@pytest.mark.parametrize(("format_", "what"), [("parquet", "Parquet"), ("orc", "ORC")])
def test_another_kind_of_file_is_named(tmp_path: Path, format_: str, what: str) -> None:
    path = tmp_path / "x"
    drop = Drop("shop/{ds}", format_, ("a",))
    for content, found in ((b"\x1f\x8bxxxxxxxx", f"expected {what}, found gzip data"), (b"a,b\n1,2\n", "truncated or")):
        path.write_bytes(content)
        with pytest.raises(LandingError, match=rf"shop/x: .*{found}"):
            inspect(path, "shop/x", "2026-03-31", drop, False)


def test_a_column_that_is_there_twice(tmp_path: Path) -> None:
    pq.write_table(pa.table([[1], [2]], ["a", "a"]), tmp_path / "x.parquet")
    with pytest.raises(LandingError, match="expected each column once, found a twice"):
        arrow_schema(tmp_path / "x.parquet", "x.parquet", "parquet")
