"""The beginnings of files: whole lines, whole row groups, and how much of the file they are."""

import bz2
import gzip
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from pipeline.runtime.errors import LandingError
from pipeline.sources.heads import head_of

LINES = b"".join(b'{"n": %d}\n' % number for number in range(400_000))
LIMIT = 1 << 20


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", LINES), ("a.jsonl.gz", gzip.compress(LINES)), ("a.jsonl.bz2", bz2.compress(LINES))],
)
def test_the_head_of_a_text_is_whole_lines(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "heads").mkdir()
    (tmp_path / name).write_bytes(content)
    head = head_of(tmp_path / name, tmp_path / "heads", LIMIT)
    taken = head.file.read_bytes()
    assert LINES.startswith(taken)
    assert taken.endswith(b"\n")
    assert LIMIT <= len(taken) < 2.1 * LIMIT
    assert 0.1 < head.share < 1
    assert head.file.name == "a.jsonl"


def test_a_small_file_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "heads").mkdir()
    for name, content in (("a.csv", b"a,b\n1,2"), ("a.csv.gz", gzip.compress(b"a,b\n1,2"))):
        (tmp_path / name).write_bytes(content)
        head = head_of(tmp_path / name, tmp_path / "heads", LIMIT)
        assert (head.file, head.share) == (tmp_path / name, 1.0)


def test_the_head_of_parquet_is_whole_row_groups(tmp_path: Path) -> None:
    (tmp_path / "heads").mkdir()
    file = tmp_path / "a.parquet"
    rows = pl.DataFrame({"n": range(400_000)})
    rows.write_parquet(file, row_group_size=100_000, compression="uncompressed", statistics=False)
    head = head_of(file, tmp_path / "heads", LIMIT)
    taken = pq.read_table(head.file)["n"].to_pylist()
    assert taken == list(range(len(taken)))
    assert len(taken) % 100_000 == 0
    assert len(taken) < 400_000
    assert head.share == pytest.approx(len(taken) / 400_000, rel=0.01)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "heads").mkdir()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(LINES)[:1000])
    with pytest.raises(LandingError, match=r"a\.csv\.gz: truncated or damaged"):
        head_of(tmp_path / "a.csv.gz", tmp_path / "heads", LIMIT)
