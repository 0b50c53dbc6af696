"""The search finds a name wherever it may hide."""

import gzip
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.erasure import contents
from pipeline.erasure.names import Names
from pipeline.erasure.other_files import drop_rows, overwrite_names, strike_from_lists
from pipeline.erasure.search import search
from pipeline.runtime.settings import Settings

NAME = "0123456789abcdef0123456789abcdef"
NAMES = Names([NAME])
COLUMNS = {
    "plain": pa.array(["x", NAME]),
    "large": pa.array(["x", f"said {NAME}!"], pa.large_string()),
    "list": pa.array([[], ["x", NAME]]),
    "struct": pa.array([{"a": [{"b": "x"}]}, {"a": [{"b": NAME}]}]),
    "map_key": pa.array([[], [(NAME, "x")]], pa.map_(pa.string(), pa.string())),
    "map_value": pa.array([[], [("x", NAME)]], pa.map_(pa.string(), pa.string())),
    "dictionary": pa.array(["x", NAME]).dictionary_encode(),
    "large_binary": pa.array([b"x", NAME.encode()], pa.large_binary()),
    "fixed_binary": pa.array([b"x" * 32, NAME.encode()], pa.binary(32)),
    "fixed_list": pa.array([["x", "x"], ["x", NAME]], pa.list_(pa.string(), 2)),
}


def found(home: Settings) -> list[str]:
    return [path.name for path in search(home, NAMES).named]


@pytest.mark.parametrize("store_schema", [False, True])
@pytest.mark.parametrize("kind", COLUMNS)
def test_columns_of_parquet(home: Settings, kind: str, store_schema: bool) -> None:
    """Also without statistics, which would give the name away."""
    table = pa.table({"c": COLUMNS[kind]})
    options = {"write_statistics": False, "store_schema": store_schema}
    pq.write_table(table, home.home / "a.parquet", **options)
    others = pa.Table.from_pylist(table.slice(0, 1).to_pylist(), table.schema)
    pq.write_table(others, home.home / "b.parquet", **options)
    assert found(home) == ["a.parquet"]


def test_no_column_keeps_the_search_from_those_after_it(home: Settings) -> None:
    ids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"x" * 16], pa.binary(16)))
    columns = {"n": [1.5], "t": [datetime(2024, 3, 5)], "none": [None], "id": ids, "who": [NAME]}
    pq.write_table(pa.table(columns), home.home / "a.parquet", write_statistics=False)
    assert found(home) == ["a.parquet"]


def test_bytes_archives_and_databases(home: Settings) -> None:
    (home.home / "log.txt").write_text(f"user={NAME},")
    (home.home / "packed.gz").write_bytes(gzip.compress(f"x{chr(10)}{NAME}".encode()))
    (home.home / "half.parquet").write_bytes(b"PAR1" + f" {NAME} ".encode())
    (home.home / "cut.gz").write_bytes(gzip.compress(b"nothing here")[:-4])
    with closing(sqlite3.connect(home.home / "some.db")) as database, database:
        database.execute("CREATE TABLE t (a TEXT)")
        database.execute("INSERT INTO t VALUES (?)", [NAME])
    assert found(home) == ["half.parquet", "log.txt", "packed.gz", "some.db"]


def test_across_two_blocks(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "BLOCK", 40)
    for start in range(0, 81):
        (home.home / "log.txt").write_text(" " * start + NAME + " " * 50)
        assert found(home) == ["log.txt"], start


def test_names_in_text_are_overwritten_letter_for_letter(home: Settings) -> None:
    path = home.home / "page.html"
    path.write_text(f"<td>{NAME}</td><td>0123456789abcdef</td><td>ä</td>")
    before = path.stat()
    assert overwrite_names([path], NAMES) == 1
    assert path.read_text() == f"<td>{'*' * 32}</td><td>0123456789abcdef</td><td>ä</td>"
    assert (path.stat().st_ino, path.stat().st_size) == (before.st_ino, before.st_size)
    assert overwrite_names([path, _empty(home.home)], NAMES) == 0


def test_lists_of_campaigns_stay_lists(home: Settings) -> None:
    """The others stay in it, also those on the same line, and the list can still be read."""
    other, third = "a" * 32, "b" * 32
    folder = home.home / "campaigns"
    folder.mkdir()
    never, opted_out = folder / "never.csv", folder / "opted_out"
    never.write_text(f"user_id\n{NAME}\n{other}\n")
    opted_out.write_text(f"{other} {NAME} {third}")
    assert strike_from_lists(home, [never, opted_out, home.home / "log.txt"], NAMES) == 2
    assert never.read_text().split() == ["user_id", other]
    assert opted_out.read_text().split() == [other, third]
    assert sorted(folder.iterdir()) == [never, opted_out]


def test_other_parquet_loses_the_rows(home: Settings) -> None:
    path = home.home / "truth.parquet"
    pq.write_table(pa.table({"who": [NAME, "x", None], "n": [1, 2, 3]}), path)
    assert drop_rows([path], NAMES) == 1
    assert pq.read_table(path).to_pydict() == {"who": ["x", None], "n": [2, 3]}
    pq.write_table(pa.table({"who": pa.array([NAME, "x", None]).dictionary_encode()}), path)
    assert drop_rows([path], NAMES) == 1
    assert pq.read_table(path).to_pydict() == {"who": ["x", None]}
    assert not found(home), "the dictionary of a column keeps values that no row has"


def _empty(folder: Path) -> Path:
    path = folder / "empty.log"
    path.touch()
    return path
