"""Days of a history: each holds its records as they were written, under columns that read them the same."""

import csv
import gzip
import io
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.runtime.errors import LandingError
from spark_jobs.landing import history_files
from tests.unit.spark_jobs.history import index, landed, source_of, split

FIRST, SECOND = "2026-03-30", "2026-03-31"
DAYS = (FIRST, SECOND, "2026-04-02")
texts = st.text(st.sampled_from("ab ,\"'é;\t#\\"), max_size=6)
names = st.lists(st.text(st.sampled_from('xy ,"é€|.`:'), min_size=0, max_size=4), max_size=4, unique=True)


def written(header: list[str], rows: list[list[str]], end: str = "\n") -> str:
    lines = io.StringIO()
    csv.writer(lines, lineterminator=end).writerows([header, *rows])
    return lines.getvalue()


def test_header_and_lines_stay_as_they_are_written(tmp_path: Path) -> None:
    """A comma in a quoted name made columns of its own once; ends of lines and quotes stay too. Empty lines go."""
    head = 'uid,"Price, EUR", ,ñ\r\n'
    lines = ['h1,"10.50", ,\r\n', 'h2,20.00,"a ""b""",x\r\n', "broken\r\n", "\r\n", "h3,1,2,3"]
    history = tmp_path / "history.csv"
    history.write_bytes(b"\xef\xbb\xbf" + (head + "".join(lines)).encode())
    source = source_of(tmp_path, "csv", ["uid", "Price, EUR"])
    at = index(tmp_path / "index", [2, 3, 4, 6], [FIRST, SECOND, None, FIRST])
    found, days = split(tmp_path, source, [landed(history, source.delivery)], [at])
    assert days[FIRST].read_bytes() == (head + lines[0] + lines[2] + lines[4] + "\n").encode()
    assert days[SECOND].read_bytes() == (head + lines[1]).encode()
    assert {ds: landed(path, source.delivery).records for ds, path in days.items()} == {FIRST: 3, SECOND: 1}
    assert {reason: (it.rows, it.ds, it.examples) for reason, it in found.outside.items()} == {
        "without an event_time": (1, FIRST, ["history.csv line 4"])
    }


def test_lines_that_begin_no_record_go_with_the_record_above(tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    history.write_text('uid,note\na,"one\ntwo"\nb,\nc,"three\n\nfour"\n')
    source = source_of(tmp_path, "csv", ["uid"])
    at = index(tmp_path / "index", [2, 4, 5], [FIRST, SECOND, FIRST])
    _, days = split(tmp_path, source, [landed(history, source.delivery)], [at])
    assert days[FIRST].read_text() == 'uid,note\na,"one\ntwo"\nc,"three\n\nfour"\n'
    assert days[SECOND].read_text() == "uid,note\nb,\n"


def test_gzipped_days_have_the_same_bytes_again(tmp_path: Path) -> None:
    history = tmp_path / "history.csv.gz"
    history.write_bytes(gzip.compress(b"uid\na\nb\n"))
    source = source_of(tmp_path, "csv.gz", ["uid"])
    at = index(tmp_path / "index", [2, 3], [FIRST, SECOND])
    contents = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        _, days = split(tmp_path / name, source, [landed(history, source.delivery)], [at])
        contents.append(days[FIRST].read_bytes())
    assert gzip.decompress(contents[0]) == b"uid\na\n"
    assert contents[0] == contents[1]


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_field_comes_back_on_its_day_whatever_the_headers(data: st.DataObject) -> None:
    """Two files whose columns differ in order and in names, read back with the csv module."""
    expected: dict[str, list[dict[str, str]]] = defaultdict(list)
    with TemporaryDirectory() as made:
        folder = Path(made)
        source = source_of(folder, "csv", ["uid"])
        files, indexes = [], []
        for number in range(2):
            header = data.draw(st.permutations(["uid", *data.draw(names)]))
            size = data.draw(st.integers(1, 5))
            rows = data.draw(st.lists(st.lists(texts, min_size=len(header), max_size=len(header)), min_size=size))
            of = data.draw(st.lists(st.sampled_from(DAYS), min_size=len(rows), max_size=len(rows)))
            kept = [(row, ds) for row, ds in zip(rows, of, strict=True) if any(row)]
            path = folder / f"{number}.csv"
            path.write_text(written(header, [row for row, _ in kept]), encoding="utf-8", newline="")
            files.append(landed(path, source.delivery))
            indexes.append(index(folder / f"index-{number}", [*range(2, len(kept) + 2)], [ds for _, ds in kept]))
            for row, ds in kept:
                expected[ds].append({name: value for name, value in zip(named(header), row, strict=True) if value})
        if not expected:
            return
        _, days = split(folder, source, files, indexes)
        read = {ds: records_of(path) for ds, path in days.items()}
    assert read == expected


def records_of(path: Path) -> list[dict[str, str]]:
    """The values that there are, by column."""
    header, *rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    return [{name: value for name, value in zip(named(header), row, strict=True) if value} for row in rows]


def named(header: list[str]) -> list[str]:
    """A column without a name is called by its place."""
    return [name or f"column_{place}" for place, name in enumerate(header, 1)]


def test_records_of_a_wrong_length_stay_malformed_under_other_columns(tmp_path: Path) -> None:
    source = source_of(tmp_path, "csv", ["uid"])
    for number, text in enumerate(("uid,b\nx,1\n", "b,uid,c\n2,y,3\nshort\n2,z,3,4\n" + '"odd,1,2\n')):
        (tmp_path / f"{number}.csv").write_text(text)
    files = [landed(tmp_path / f"{number}.csv", source.delivery) for number in range(2)]
    indexes = [index(tmp_path / "i0", [2], [FIRST]), index(tmp_path / "i1", [2, 3, 4, 5], [FIRST] * 4)]
    _, days = split(tmp_path, source, files, indexes)
    assert days[FIRST].read_text() == 'uid,b,c\nx,1,\ny,2,3\nshort\n2,z,3,4\n"odd,1,2\n'


def test_a_record_that_would_pass_for_another_is_refused(tmp_path: Path) -> None:
    source = source_of(tmp_path, "csv", ["uid"])
    (tmp_path / "0.csv").write_text("uid,b\nx,1\n7,8,9\n")
    (tmp_path / "1.csv").write_text("b,uid,c\n2,y,3\n")
    files = [landed(tmp_path / f"{number}.csv", source.delivery) for number in range(2)]
    indexes = [index(tmp_path / "i0", [2, 3], [FIRST] * 2), index(tmp_path / "i1", [2], [FIRST])]
    with pytest.raises(LandingError, match=r"0\.csv, line 3: expected 2 fields, found 3"):
        split(tmp_path, source, files, indexes)


def parquet_days(tmp_path: Path, tables: list[pa.Table], days: list[list[str | None]], **options: object) -> dict:
    source = source_of(tmp_path, "parquet", ["uid"])
    files, indexes = [], []
    for number, (table, of) in enumerate(zip(tables, days, strict=True)):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(table, path, row_group_size=2, **options)
        files.append(landed(path, source.delivery))
        indexes.append(index(tmp_path / f"i{number}", [*range(1, len(table) + 1)], of))
    return split(tmp_path, source, files, indexes)[1]


NINE = datetime(2026, 3, 31, 9, 0, 0, 123456, UTC)
TYPED = pa.table(
    {
        "uid": pa.array(["a", None, "c"]),
        "a column, of: any. name": pa.array([b"\0\xff", b"", None]),
        "ns": pa.array([1, None, 2**62], pa.timestamp("ns", "UTC")),
        "local": pa.array([1, None, 3], pa.timestamp("us")),
        "zoned": pa.array([NINE] * 3, pa.timestamp("ms", "Europe/Berlin")),
        "exact": pa.array([Decimal("1.10"), Decimal("-0.01"), None], pa.decimal128(30, 2)),
        "large": pa.array([2**63, 2**64 - 1, 0], pa.uint64()),
        "nested": pa.array(
            [[{"q": 1, "m": [("k", "v")]}], [], None],
            pa.list_(pa.struct([("q", pa.int8()), ("m", pa.map_(pa.string(), pa.string()))])),
        ),
        "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
    }
)


def test_parquet_keeps_every_column_in_its_type(tmp_path: Path) -> None:
    """Columns that the source does not declare were lost once."""
    days = parquet_days(tmp_path, [TYPED], [[FIRST, SECOND, FIRST]])
    back = pq.read_table(days[FIRST])
    assert back.schema.equals(TYPED.schema)
    assert back.to_pylist() == TYPED.take([0, 2]).to_pylist()
    assert pq.read_table(days[SECOND]).to_pylist() == TYPED.slice(1, 1).to_pylist()


def test_int96_stays_int96(tmp_path: Path) -> None:
    """As 64-bit nanoseconds Spark could not read it, and a time of the year 2300 would be another."""
    table = pa.table({"uid": ["a", "b"], "at": pa.array([NINE.replace(tzinfo=None), datetime(2300, 1, 1)])})
    days = parquet_days(tmp_path, [table], [[FIRST, FIRST]], use_deprecated_int96_timestamps=True)
    assert pq.ParquetFile(days[FIRST]).schema.column(1).physical_type == "INT96"
    back = pq.read_table(days[FIRST], coerce_int96_timestamp_unit="us")
    assert back.to_pylist() == table.to_pylist()


def test_parquet_of_several_schemas_keeps_the_columns_of_all(tmp_path: Path) -> None:
    one = pa.table({"uid": ["a"], "x": [1]})
    two = pa.table({"y": [2.5, 3.5], "uid": ["b", "c"]})
    days = parquet_days(tmp_path, [one, two], [[FIRST], [SECOND, FIRST]])
    assert pq.read_table(days[FIRST]).to_pylist() == [
        {"uid": "a", "x": 1, "y": None},
        {"uid": "c", "x": None, "y": 3.5},
    ]


def test_a_column_of_two_types_is_named(tmp_path: Path) -> None:
    tables = [pa.table({"uid": ["a"], "x": [1]}), pa.table({"uid": ["a"], "x": ["1"]})]
    with pytest.raises(LandingError, match=r"1\.parquet: x: expected int64 as in 0\.parquet, found string"):
        parquet_days(tmp_path, tables, [[FIRST], [FIRST]])


def test_rows_of_a_large_file_are_held_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_files, "HELD_BYTES", 100)
    monkeypatch.setattr(history_files, "BATCH_ROWS", 7)
    table = pa.table({"uid": [str(row) for row in range(100)]})
    of = [DAYS[row % 3] for row in range(100)]
    days = parquet_days(tmp_path, [table], [of])
    assert {ds: pq.read_table(path)["uid"].to_pylist() for ds, path in days.items()} == {
        ds: [str(row) for row in range(100) if of[row] == ds] for ds in DAYS
    }


def test_times_outside_are_counted_named_and_land_on_the_nearest_day(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    history.write_text("".join(f"{{{row}}}\n" for row in range(6)))
    source = source_of(tmp_path, "jsonl", ["uid"], f"first_day = {FIRST}\nlast_day = {SECOND}")
    of = ["2026-03-29", FIRST, "2026-05-01", None, "1970-01-01", "2026-05-02"]
    at = index(tmp_path / "index", [1, 2, 3, 4, 5, 6], of)
    found, days = split(tmp_path, source, [landed(history, source.delivery)], [at])
    assert days[FIRST].read_text() == "{0}\n{1}\n{3}\n{4}\n"
    assert days[SECOND].read_text() == "{2}\n{5}\n"
    assert {reason: (it.rows, it.ds, it.examples) for reason, it in found.outside.items()} == {
        "without an event_time": (1, FIRST, ["history.jsonl line 4"]),
        f"before {FIRST}": (2, FIRST, ["history.jsonl line 1", "history.jsonl line 5"]),
        f"after {SECOND}": (2, SECOND, ["history.jsonl line 3", "history.jsonl line 6"]),
    }


def test_without_bounds_a_time_of_1970_is_none(tmp_path: Path) -> None:
    """It would make a span of twenty thousand empty days."""
    history = tmp_path / "history.jsonl"
    history.write_text("{0}\n{1}\n{2}\n")
    source = source_of(tmp_path, "jsonl", ["uid"])
    at = index(tmp_path / "index", [1, 2, 3], ["1970-01-01", SECOND, FIRST])
    found, days = split(tmp_path, source, [landed(history, source.delivery)], [at])
    assert list(days) == [FIRST, SECOND]
    assert found.outside["before 1971-01-01"].rows == 1
