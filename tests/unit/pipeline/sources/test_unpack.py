"""Packed files: known by their content, read whole, or refused by name."""

import bz2
import codecs
import gzip
import lzma
import os
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.runtime.errors import LandingError
from pipeline.sources import unpack
from pipeline.sources.unpack import as_utf8, check_encoding, check_file, shown, unpacked

TEXT = b"a,b\n" + b"".join(b"%d,%d\n" % (number, number * 7) for number in range(5000))


def streamed(codec: str, content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as out:
        out.write(content)
    return sink.getvalue().to_pybytes()


PACKED = {
    "gzip": gzip.compress(TEXT),
    "zstd": streamed("zstd", TEXT),
    "bzip2": bz2.compress(TEXT),
    "xz": lzma.compress(TEXT),
    "lz4": streamed("lz4", TEXT),
}


def read(path: Path, content: bytes) -> bytes:
    path.write_bytes(content)
    return b"".join(unpacked(path, f"shop/{path.name}", "CSV"))


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.zst"])
def test_packing_is_known_by_content(tmp_path: Path, packing: str, name: str) -> None:
    assert read(tmp_path / name, PACKED[packing]) == TEXT
    assert read(tmp_path / name, PACKED[packing] * 2) == TEXT * 2


@pytest.mark.parametrize("packing", PACKED)
def test_what_is_cut_off_or_damaged_is_refused(tmp_path: Path, packing: str) -> None:
    whole = PACKED[packing]
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    damaged = [whole[:-3], whole[: len(whole) // 2], whole + whole[:9]]
    if packing in ("gzip", "bzip2", "xz"):  # the others have no checksum, unless their writer asks for one
        damaged.append(bytes(flipped))
    for content in damaged:
        with pytest.raises(LandingError, match=rf"shop/x\.csv: expected a whole {packing} file, found a truncated or"):
            read(tmp_path / "x.csv", content)


NOISE = bytes(range(200, 250))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"\xff\x06\x00\x00sNaPpY" + NOISE, "snappy data"),
        (b"PK\x03\x04" + NOISE, "zip data"),
        (b"PAR1" + NOISE, "Parquet data"),
        (b"ORC\x0a\x03" + NOISE, "ORC data"),
        (gzip.compress(gzip.compress(TEXT)), "gzip data in gzip data"),
        (gzip.compress(PACKED["zstd"]), "zstd data in gzip data"),
    ],
)
def test_what_is_not_read_is_refused_by_name(tmp_path: Path, content: bytes, found: str) -> None:
    with pytest.raises(LandingError, match=rf"shop/x\.csv: expected CSV, found {found}; deliver it as plain text"):
        read(tmp_path / "x.csv", content)


def test_a_header_that_begins_like_another_format_is_text(tmp_path: Path) -> None:
    for text in (b"ORCID,name\n1,2\n", b"BZh9 is a name,x\n1,2\n"):
        assert read(tmp_path / "x.csv", text) == text


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "BOMB_BYTES", 1 << 20)
    with pytest.raises(
        LandingError, match=r"x\.gz: expected a log, found gzip data that unpacks to more than 300 times"
    ):
        read(tmp_path / "x.gz", gzip.compress(b"1,2\n" * (4 << 20)))
    assert len(read(tmp_path / "x.gz", gzip.compress(os.urandom(3 << 20)))) == 3 << 20


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_bytes(TEXT)
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    (tmp_path / "nowhere.csv").symlink_to(tmp_path / "gone.csv")
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    kinds = {"link": "a link", "nowhere": "a link", "folder": "a folder", "pipe": "a pipe"}
    for name, kind in kinds.items():
        with pytest.raises(LandingError, match=rf"^shop/{name}\.csv: expected a file, found {kind}; put a copy"):
            check_file(tmp_path / f"{name}.csv", f"shop/{name}.csv")
    with pytest.raises(LandingError, match=r"^shop/a\\nb\.csv: expected a name of printable characters"):
        check_file(tmp_path / "a\nb.csv", "shop/a\nb.csv")
    with pytest.raises(LandingError, match=r"^shop/none\.csv: cannot be read: No such file"):
        check_file(tmp_path / "none.csv", "shop/none.csv")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "shift_jis", "utf-8-sig"]
)
def test_encodings(encoding: str) -> None:
    text = "名前,値段\n日本,5\n" * 100
    content = text.encode(encoding)
    pieces = [content[start : start + 7] for start in range(0, len(content), 7)]  # within characters too
    assert b"".join(as_utf8(iter(pieces), encoding)).decode() == text


def test_a_byte_order_mark_decides() -> None:
    content = codecs.BOM_UTF16_BE + "a,é\n".encode("utf-16-be")
    assert b"".join(as_utf8(iter([content]), "utf-8")) == "a,é\n".encode()
    assert b"".join(as_utf8(iter([codecs.BOM_UTF8 + b"a\n"]), "latin-1")) == b"a\n"


@pytest.mark.parametrize("encoding", ["cp1252", "gb18030", "shift_jis", "utf-16-le"])
def test_bytes_that_are_no_character_stay_unreadable(encoding: str) -> None:
    bad = {"cp1252": b"\x81", "gb18030": b"\xff", "shift_jis": b"\xff", "utf-16-le": b"\x00\xdc"}[encoding]
    found = b"".join(as_utf8(iter(["a\n".encode(encoding) + bad + "\nb\n".encode(encoding)]), encoding))
    lines = found.split(b"\n")
    assert (lines[0], lines[2]) == (b"a", b"b")
    with pytest.raises(UnicodeDecodeError):
        lines[1].decode()


def test_text_of_another_encoding_is_named() -> None:
    with pytest.raises(
        LandingError, match=r'x: expected text in utf-8, found what looks like UTF-16; set `encoding = "ut'
    ):
        check_encoding("a,b\n1,2\n".encode("utf-16-le"), "x", "CSV", "utf-8")
    with pytest.raises(LandingError, match="x: expected CSV, found data that is no text"):
        check_encoding(bytes(range(1, 256)) * 4, "x", "CSV", "utf-8")
    check_encoding("имя,цена\n".encode("utf-16-le") * 50, "x", "CSV", "utf-16")
    check_encoding("日本,5\n".encode("shift_jis") * 50, "x", "CSV", "shift_jis")


def test_what_was_found_is_escaped_and_cut() -> None:
    assert shown("a\nb\x1b[31m\u202e") == "a\\nb\\x1b[31m\\u202e"
    assert shown(b"\xffa") == "\\xffa"
    assert len(shown("x" * 1000)) == 80
