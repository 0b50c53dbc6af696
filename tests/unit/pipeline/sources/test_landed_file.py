"""One landed file: counted, or refused with its name."""

import bz2
import gzip
import lzma
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from pipeline.runtime.errors import LandingError
from pipeline.sources import json_array, text_records, unpack
from pipeline.sources.landed_file import LandedFile, inspect
from pipeline.sources.source import Drop
from pipeline.sources.text_records import record_blocks


def look(path: Path, format_: str = "csv", allow_empty: bool = False, **fields: str) -> LandedFile:
    drop = Drop("shop/{ds}", format_, ("a", "b"), **fields)
    return inspect(path, f"shop/{path.name}", "2011-03-01", drop, allow_empty)


def file_of(folder: Path, content: bytes, name: str = "x.csv") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize(
    ("content", "records"),
    [
        (b"a,b\n", 0),
        (b"a,b", 0),
        (b"a,b\n1,2\n", 1),
        (b"a,b\n1,2", 1),
        (b"a,b\r\n1,2\r\n\r\n\n3,4\r\n", 2),
        (b"a,b\n \n,\n", 2),
        (b"\xef\xbb\xbfa,b\n1,2\n", 1),
        (b'"a","b","c"\n1,2,3\n', 1),
    ],
)
@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_csv_records(tmp_path: Path, content: bytes, records: int, name: str) -> None:
    assert look(file_of(tmp_path, content, name)).records == records


def test_jsonl_records(tmp_path: Path) -> None:
    assert look(file_of(tmp_path, b"{}\n\ngarbage\n"), "jsonl").records == 2


def parquet_of(rows: int) -> bytes:
    """Rows of one value, which Parquet keeps once."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": pa.repeat(1, rows), "b": pa.repeat(1, rows)}), sink)
    return sink.getvalue().to_pybytes()


def orc_of(rows: int) -> bytes:
    sink = pa.BufferOutputStream()
    orc.write_table(pa.table({"a": pa.repeat(1, rows), "b": pa.repeat(1, rows)}), sink)
    return sink.getvalue().to_pybytes()


MANY = 2_000_000


@pytest.mark.parametrize(
    ("format_", "content"),
    [
        ("jsonl", lambda: gzip.compress(b"{}\n" * MANY)),
        ("jsonl", lambda: lzma.compress(b"[" + b"{}," * MANY + b"{}]")),
        ("csv", lambda: bz2.compress(b"a,b\n" + b",\n" * MANY)),
        ("parquet", lambda: parquet_of(MANY)),
        ("orc", lambda: orc_of(MANY)),
    ],
    ids=["lines", "array", "csv", "parquet", "orc"],
)
def test_more_records_than_a_log_packs_into_a_file_are_refused(tmp_path: Path, format_: str, content) -> None:
    path = tmp_path / "x"
    path.write_bytes(content())
    size = path.stat().st_size
    assert size < 50_000
    with pytest.raises(
        LandingError, match=rf"^shop/x: expected a log, found more than 2 records for each of its {size:,}"
    ):
        look(path, format_)


def test_as_many_records_are_read_when_the_file_has_the_bytes_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert look(file_of(tmp_path, b"{}\n" * 200_000), "jsonl").records == 200_000
    packed = file_of(tmp_path, b"{}\n" * 90_000, "x.gz")  # however small, so few cost little
    assert look(packed, "jsonl").records == 90_000
    monkeypatch.setattr(unpack, "MANY_RECORDS", 89_999)
    with pytest.raises(LandingError, match="more than 2 records"):
        look(packed, "jsonl")


def test_an_array_of_too_many_values_is_refused_before_they_are_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_array, "MOST_VALUES", 3)
    assert look(file_of(tmp_path, b"[1,2,3,4]"), "jsonl").records == 4
    with pytest.raises(LandingError, match="found a JSON array of more than 3 values; deliver a line per record"):
        look(file_of(tmp_path, b"[1,2,3,4,5]"), "jsonl")


def test_blocks_end_with_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "CHUNK_BYTES", 4)
    path = file_of(tmp_path, b"a,b\n123456\n1\n2\n3")
    blocks = list(record_blocks(str(path), "x", Drop("shop/{ds}", "csv", ("a", "b"))))
    assert [block.slices() for block in blocks] == [[b"a,b"], [b"123456"], [b"1", b"2", b"3"]]
    assert [block.lines.tolist() for block in blocks] == [[1], [2], [3, 4, 5]]
    assert look(path).records == 4


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "CHUNK_BYTES", 4)
    monkeypatch.setattr(text_records, "LONGEST_RECORD", 8)
    with pytest.raises(LandingError, match=r"shop/x\.csv: expected one record per line"):
        look(file_of(tmp_path, b"a,b\n" + b"x" * 100))


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
@pytest.mark.parametrize("format_", ["csv", "jsonl"])
def test_an_empty_file_is_refused_unless_allowed(tmp_path: Path, name: str, format_: str) -> None:
    path = file_of(tmp_path, b"", name)
    with pytest.raises(LandingError, match=f"shop/{name}: expected records, found an empty file"):
        look(path, format_)
    assert look(path, format_, allow_empty=True).records == 0


@pytest.mark.parametrize("keep", [-1, -9, 40, 5])
def test_a_truncated_gzip_is_refused(tmp_path: Path, keep: int) -> None:
    path = file_of(tmp_path, b"a,b\n" + os.urandom(300).hex().encode() + b"\n", "x.csv.gz")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(LandingError, match=r"shop/x\.csv\.gz: expected a whole gzip file"):
        look(path)


def test_no_gzip_at_all_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(LandingError, match=r"x\.csv\.gz: expected a whole gzip file"):
        look(path)


def test_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    path = file_of(tmp_path, b"a,b\n" + os.urandom(300).hex().encode() + b"\n", "x.csv.gz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(LandingError, match=r"x\.csv\.gz: expected a whole gzip file"):
        look(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"a,c\n", "missing are b (found a, c)"),
        (b"1,2\n", "missing are a, b (found 1, 2)"),
        (b"a;b\n", "missing are a, b (found a;b)"),
        (b"\n1,2\n", "missing are a, b (found )"),
        (b"a,b,a\n", "expected each column once in the header, found a,b,a"),
        (b"a,\xff\n", "expected a header in utf-8, found other bytes"),
    ],
)
def test_a_wrong_header_is_refused(tmp_path: Path, header: bytes, message: str) -> None:
    with pytest.raises(LandingError) as caught:
        look(file_of(tmp_path, header))
    assert message in str(caught.value)
    assert "shop/x.csv" in str(caught.value)


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), path)
    assert look(path, "parquet").records == 2
    assert look(path, "parquet").header == ("a:int64", "b:string")
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(LandingError, match=r"x\.parquet: expected a whole Parquet file"):
        look(path, "parquet")


def test_parquet_without_a_column_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(LandingError, match="missing are b"):
        look(tmp_path / "x.parquet", "parquet")


def test_a_change_is_noticed(tmp_path: Path) -> None:
    path = file_of(tmp_path, b"a,b\n1,2\n")
    file = look(path)
    file.check_unchanged()
    os.utime(path, ns=(0, file.modified + 1))
    with pytest.raises(LandingError, match=r"shop/x\.csv: changed while it was read"):
        file.check_unchanged()
    path.unlink()
    with pytest.raises(LandingError, match=r"shop/x\.csv: vanished while it was read"):
        file.check_unchanged()
