"""A name in every kind of file, and what the search says where it cannot tell."""

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import ipc, orc

from pipeline.erasure.names import Names
from pipeline.erasure.search import look, search
from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import own_table
from pipeline.tables import registry
from tests.unit.pipeline.erasure.test_erase_published import HISTORY, put

ANNA = "anna.b@example.org"
USER = "0123456789abcdef" * 2
NAMES = Names([ANNA, USER])


def lz4(content: bytes) -> bytes:
    return _packed(content, "lz4")


def zstd(content: bytes) -> bytes:
    return _packed(content, "zstd")


def tar(content: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        entry = tarfile.TarInfo("a.csv")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def zipped(content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", content)
    return target.getvalue()


def parquet(content: bytes) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.table({"c": [content.decode()]}), target, write_statistics=False, compression="gzip")
    return target.getvalue()


def arrow(content: bytes) -> bytes:
    rows, target = pa.table({"c": [content.decode()]}), io.BytesIO()
    with ipc.new_file(target, rows.schema, options=ipc.IpcWriteOptions(compression="zstd")) as file:
        file.write_table(rows)
    return target.getvalue()


def orc_file(content: bytes) -> bytes:
    target = io.BytesIO()
    orc.write_table(pa.table({"c": [content.decode()]}), target, compression="zlib")
    return target.getvalue()


def utf_16(content: bytes) -> bytes:
    return content.decode().encode("utf-16-le")


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lz4": lz4,
    "zstd": zstd,
    "zip": zipped,
    "tar": tar,
    "parquet": parquet,
    "arrow": arrow,
    "orc": orc_file,
    "utf_16": utf_16,
    "parquet_in_gzip": lambda content: gzip.compress(parquet(content)),
    "gzip_in_zip": lambda content: zipped(gzip.compress(content)),
    "utf_16_in_xz": lambda content: lzma.compress(content.decode().encode("utf-16")),
}


@pytest.mark.parametrize("kind", PACKERS)
def test_kinds_of_files(tmp_path: Path, kind: str) -> None:
    """Known by content, whatever the name says; somebody with a longer address is nobody's trace."""
    path = tmp_path / "some.data"
    for text, named in ((f"x,{ANNA},y", True), (f"x,jo{ANNA},y", False), (f"x,{USER},y", True)):
        path.write_bytes(PACKERS[kind](text.encode()))
        assert look(path, NAMES) == (named, "")


def test_values_of_a_dictionary_that_no_row_has(tmp_path: Path) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([1, 1], pa.int32()), pa.array([ANNA, "x"]))
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"c": column}), path, write_statistics=False, compression="gzip")
    assert look(path, NAMES)[0]


def test_numbers_are_in_doubt(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"c": [1, 4711123456], "n": [[1], [2]]}), path, compression="gzip")
    assert look(path, Names([USER], ["4711123456"])) == (False, "words that may be an id of theirs or not")
    assert look(path, Names([USER], ["4711123457"])) == (False, "")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "a.db")) as found:
        found.execute("PRAGMA secure_delete = OFF")
        found.execute("CREATE TABLE t (a TEXT, b BLOB)")
        found.commit()
        yield found


def test_a_database(tmp_path: Path, database: sqlite3.Connection) -> None:
    """Its values, packed ones too; its free pages; and the log of changes that it has not taken in."""
    path = tmp_path / "a.db"
    database.execute("INSERT INTO t VALUES (?, NULL)", [f"jo{ANNA}"])
    database.commit()
    assert look(path, NAMES) == (False, "")
    database.execute("INSERT INTO t VALUES (NULL, ?)", [zstd(f"x {ANNA}".encode())])
    database.commit()
    assert look(path, NAMES)[0]
    database.execute("DELETE FROM t")
    database.execute("INSERT INTO t VALUES (?, NULL)", [ANNA])
    database.execute("DELETE FROM t")
    database.commit()
    assert any(look(path, NAMES)), "bytes that no row has"
    database.execute("PRAGMA secure_delete = ON")
    database.execute("VACUUM")
    assert look(path, NAMES) == (False, "")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("INSERT INTO t VALUES (?, NULL)", [ANNA])
    database.commit()
    assert look(path, NAMES)[0]
    assert any(look(path.with_name("a.db-wal"), NAMES))


def test_bounds_in_manifests_of_iceberg(home: Settings) -> None:
    """Manifests are packed; they keep the first 16 letters of the least and the greatest user."""
    put(home, {"2024-03-05": [USER, "f" * 32]})
    named = {path.suffix for path in search(home, NAMES).named}
    assert {".avro", ".parquet"} <= named
    greatest = Names(["f" * 31 + "0"])
    assert ".avro" in {path.suffix for path in search(home, greatest).named}
    assert not search(home, Names(["a" * 32])).named
    assert own_table(home, registry.TABLES[HISTORY.name]) is not None


def test_names_of_files_and_unreadable_ones(home: Settings) -> None:
    (home.home / f"{ANNA}.json").write_text("{}")
    (home.home / "folder").symlink_to(home.home)
    found = search(home, NAMES)
    assert [path.name for path in found.named] == [f"{ANNA}.json"]
    assert found.doubts == {}


def _packed(content: bytes, codec: str) -> bytes:
    target = pa.BufferOutputStream()
    with pa.CompressedOutputStream(target, codec) as file:
        file.write(content)
    return target.getvalue().to_pybytes()
