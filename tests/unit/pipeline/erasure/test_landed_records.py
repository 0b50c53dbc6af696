"""Landing files: records are blanked where they are, and nothing else changes."""

import gzip
import json
import lzma
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from pipeline.erasure import landed_records
from pipeline.erasure.landed_records import blank_records, mask_mentions
from pipeline.erasure.names import Names
from pipeline.erasure.search import named_in
from pipeline.runtime.atomic import replace_text
from pipeline.runtime.errors import LandingError
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


@pytest.mark.parametrize("delivered", ["more of it", "another file in its place"])
def test_a_file_that_changes_meanwhile_loses_nothing(
    delivered: str, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home.landing / "shop.csv"
    path.write_bytes(LINES)
    expected = LINES + b"\r\ncarl,view" if delivered == "more of it" else b"who,what\r\ncarl,view\r\n"

    def arrives(write: Callable[..., None]) -> Callable[..., None]:
        def written(*arguments: object) -> None:
            write(*arguments)
            if delivered == "more of it":
                with path.open("ab") as file:
                    file.write(b"\r\ncarl,view")
            else:
                replace_text(path, expected.decode())

        return written

    monkeypatch.setattr(landed_records, "blank_text", arrives(landed_records.blank_text))
    with pytest.raises(
        LandingError, match=r"^landing/shop\.csv: changed while records were taken out of it, and is left"
    ):
        blank_records(home, [("shop.csv", 2)])
    assert path.read_bytes() == expected
    path.write_bytes(LINES)
    monkeypatch.setattr(landed_records, "mask_text", arrives(landed_records.mask_text))
    assert mask_mentions(home, [path], Names(["anna"])) == []
    assert path.read_bytes() == expected
    assert [it.name for it in home.landing.iterdir()] == ["shop.csv"]


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
    """They stay broken, without the name."""
    path = home.landing / "shop.csv.gz"
    path.write_bytes(gzip.compress(b'who\n"u-4711,broken\nu-4711x\n'))
    assert mask_mentions(home, [path], Names(["u-4711"])) == [path]
    assert gzip.decompress(path.read_bytes()) == b'who\n"***,broken\nu-4711x\n'


@pytest.mark.parametrize(
    ("encoding", "pack", "unpack"),
    [("utf-8", bytes, bytes), ("utf-16", bytes, bytes), ("gb18030", lzma.compress, lzma.decompress)],
)
def test_a_record_of_several_lines(
    home: Settings, encoding: str, pack: Callable[[bytes], bytes], unpack: Callable[[bytes], bytes]
) -> None:
    """All of it goes, and the records behind it keep their lines."""
    own_source(home, f'format = "csv"\nencoding = "{encoding}"')
    path = home.landing / "shop" / "2011-03-01"
    path.parent.mkdir()
    text = 'who,what\nanna,"a\nletter,\nof hers"\nbob,漢字\nanna,x\n'
    path.write_bytes(pack(text.encode(encoding)))
    blank_records(home, [("shop/2011-03-01", 2), ("shop/2011-03-01", 6)])
    assert unpack(path.read_bytes()).decode(encoding) == "who,what\nerased\n\n\nbob,漢字\nerased\n"


def test_elements_of_a_json_array(home: Settings) -> None:
    own_source(home, 'format = "jsonl"')
    path = home.landing / "shop" / "2011-03-01"
    path.parent.mkdir()
    path.write_text('[{"who": "anna"},\n {"who": "bob", "n": 1.0}]')
    blank_records(home, [("shop/2011-03-01", 1)])
    assert json.loads(path.read_text()) == ["erased", {"who": "bob", "n": 1.0}]
    assert "1.0" in path.read_text()


def test_rows_of_orc(home: Settings) -> None:
    (home.landing / "shop").mkdir()
    path = home.landing / "shop" / "1.orc"
    orc.write_table(pa.table({"who": ["anna", "bob"], "n": [1, 2]}), path)
    blank_records(home, [("shop/1.orc", 1)])
    assert orc.read_table(path).to_pylist() == [{"who": None, "n": None}, {"who": "bob", "n": 2}]


def own_source(home: Settings, delivery: str) -> None:
    home.sources.mkdir()
    (home.sources / "shop.toml").write_text(
        f'platform = "shop"\ntimezone = "UTC"\n[delivery]\npath = "shop/{{ds}}"\n{delivery}\ncolumns = ["who"]\n'
        '[event]\nuser_id = "who"\nitem_id = "who"\nevent_type = "who"\nevent_time = "now()"\n'
    )
