"""Landing files: records are blanked where they are, and nothing else changes."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.erasure.landed_records import blank_lines_naming, blank_records
from pipeline.erasure.names import Names
from pipeline.erasure.search import named_in
from pipeline.runtime.settings import Settings

LINES = b"\xef\xbb\xbfwho,what\r\nanna,view\r\nbob,\xe9\r\n\r\nanna,cart"


@pytest.mark.parametrize("name", ["shop/1.csv", "shop/1.csv.gz"])
def test_lines(home: Settings, name: str) -> None:
    """Line ends, the mark of the encoding, odd bytes and a last line without an end all stay."""
    path = home.landing / name
    path.parent.mkdir()
    path.write_bytes(gzip.compress(LINES) if name.endswith(".gz") else LINES)
    assert blank_records(home, [(name, 2), (name, 5)]) == {name: 2}
    found = path.read_bytes()
    found = gzip.decompress(found) if name.endswith(".gz") else found
    assert found == b"\xef\xbb\xbfwho,what\r\nerased\r\nbob,\xe9\r\n\r\nerased"
    assert [it.name for it in home.landing.iterdir()] == ["shop"]


def test_rows_of_parquet(home: Settings) -> None:
    """Rows keep their number, over row groups, and their types, maps among them."""
    schema = pa.schema(
        [
            pa.field("who", pa.string(), nullable=False),
            ("tags", pa.map_(pa.string(), pa.string())),
            ("many", pa.list_(pa.int64())),
            ("kind", pa.dictionary(pa.int32(), pa.string())),
        ]
    )
    people = ["anna", "bob", "anna", "carl", "bob"]
    rows = [{"who": who, "tags": [("k", who)], "many": [n], "kind": who} for n, who in enumerate(people)]
    (home.landing / "shop").mkdir()
    path = home.landing / "shop" / "1.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema), path, row_group_size=2)
    blank_records(home, [("shop/1.parquet", 1), ("shop/1.parquet", 3)])
    nothing = {"who": None, "tags": None, "many": None, "kind": None}
    expected = [nothing if row["who"] == "anna" else row for row in rows]
    assert pq.read_table(path).to_pylist() == expected
    assert not named_in(path, Names(["anna"])), "a dictionary keeps values that no row has"


def test_lines_in_which_no_user_could_be_read(home: Settings) -> None:
    path = home.landing / "shop.csv.gz"
    path.write_bytes(gzip.compress(b'who\n"u-4711,broken\nu-4711x\n'))
    assert blank_lines_naming(home, [path], Names(["u-4711"])) == 1
    assert gzip.decompress(path.read_bytes()) == b"who\nerased\nu-4711x\n"
