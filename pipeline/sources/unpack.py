"""The bytes of a landed file, whatever it is packed in: known by what they are, not by the file's name.

Only regular files are read. A file that is cut off, holds something else than it should, or unpacks to far more than a
log would (a bomb) is refused by its name, in bounded memory.
"""

import bz2
import codecs
import gzip
import lzma
import stat
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.runtime.errors import LandingError

CHUNK_BYTES = 4 << 20
BOMB_BYTES, BOMB_RATIO = 256 << 20, 300  # more bytes than this, and than this times the file: no log packs so well
MANY_RECORDS, RECORDS_A_BYTE = 100_000, 2  # more records than this, and than this for each byte of the file
CONTROLS = (*range(1, 7), *range(14, 27))  # bytes that are in no text of an encoding that keeps ASCII
HEAD_BYTES = 512  # in which a kind of file is recognised
CUT = 80  # characters of what was found that a message shows
UNREADABLE = "\udcff"  # stands for bytes that are no character: as UTF-8 it is not readable either

GZIP, ZSTD, BZIP2, XZ, LZ4 = "gzip", "zstd", "bzip2", "xz", "lz4"
PACKINGS = (GZIP, ZSTD, BZIP2, XZ, LZ4)  # that are read
MAGIC = {
    b"\x1f\x8b": GZIP,
    b"\x28\xb5\x2f\xfd": ZSTD,
    b"BZh": BZIP2,
    b"\xfd7zXZ\0": XZ,
    b"\x04\x22\x4d\x18": LZ4,
    b"\xff\x06\x00\x00sNaPpY": "snappy",
    b"\x1f\x9d": "compress (.Z)",
    b"\x89LZO": "lzop",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "RAR",
    b"PAR1": "Parquet",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
    b"ARROW1": "Arrow",
    b"SQLite format 3": "SQLite",
    b"%PDF": "PDF",
}
BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # what follows the mark of bzip2: a block, or the end
BYTE_ORDER_MARKS = {  # UTF-32 first: its mark begins as that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
codecs.register_error("tidemark.unreadable", lambda error: (UNREADABLE, getattr(error, "end", 0)))


def shown(found: object) -> str:
    """What was found, for a message: escaped, cut at 80 characters."""
    text = found.decode("utf-8", "backslashreplace") if isinstance(found, bytes) else str(found)
    text = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text[:200])
    return text if len(text) <= CUT else text[: CUT - 1] + "…"


def check_file(path: Path, name: str) -> None:
    """Raises LandingError unless it is a regular file with a name that fits on a line."""
    if not name.isprintable():
        raise LandingError(
            f"{shown(name)}: expected a name of printable characters; deliver the file under another name"
        )
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        raise LandingError(f"{name}: cannot be read: {error.strerror}; run again when it is there") from None
    if not stat.S_ISREG(mode):
        raise LandingError(f"{name}: expected a file, found {_kind_of_node(mode)}; put a copy of the file there")


def check_content(path: Path, name: str, magic: bytes, what: str) -> None:
    """Raises LandingError when the file of a typed format is another kind of file."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    found = kind_of(head)
    if found and not head.startswith(magic):
        raise LandingError(f"{name}: expected {what}, found {found} data; deliver it as {what}, or correct `format`")


def kind_of(head: bytes) -> str | None:
    """What a file is by its first bytes; None for what may be text."""
    found = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)
    if (found == BZIP2 and head[4:10] not in BZIP2_BLOCKS) or (found == "ORC" and is_text(head[:64])):
        found = None  # a text that begins so
    return "tar" if found is None and head[257:262] == b"ustar" else found


def unpacked(path: Path, name: str, what: str) -> Iterator[bytes]:
    """The file's bytes, unpacked. `what` is what they should be, for the message.

    Raises LandingError when the file is cut off or damaged, when what is in it is packed again or is no text, and when
    it unpacks to more than any log would.
    """
    check_file(path, name)
    with path.open("rb") as file:
        packing = kind_of(file.read(HEAD_BYTES))
    if packing is None and path.suffix == ".gz" and path.stat().st_size:
        packing = GZIP  # which it is not: the error says so
    if packing and packing not in PACKINGS:
        raise LandingError(
            f"{name}: expected {what}, found {packing} data; deliver it as plain text, or packed by "
            f"{', '.join(PACKINGS)}"
        )
    seen, first = 0, True
    most = max(BOMB_BYTES, BOMB_RATIO * path.stat().st_size)
    for block in _read(path, name, packing):
        if first:
            _check_not_packed(block, name, what, packing)
            first = False
        seen += len(block)
        if packing and seen > most:
            raise LandingError(
                f"{name}: expected a log, found {packing} data that unpacks to more than {BOMB_RATIO} times its size; "
                "deliver it unpacked, when it is meant so"
            )
        yield block


def check_number(records: int, path: Path, name: str) -> None:
    """Raises LandingError when a file holds far more records than any log packs into its size.

    Each costs a row with its reason, however little is in it: two million of `{}` are a gzip file of 6 kB.
    """
    size = path.stat().st_size
    if records > max(MANY_RECORDS, RECORDS_A_BYTE * size):
        raise LandingError(
            f"{name}: expected a log, found more than {RECORDS_A_BYTE} records for each of its {size:,} bytes; deliver "
            "them as text that is not packed, when they are meant so"
        )


def as_utf8(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Text as UTF-8 without byte-order mark; a mark decides over `encoding`. What is no character stays unreadable."""
    first = next(blocks, b"")
    mark = next((mark for mark in BYTE_ORDER_MARKS if first.startswith(mark)), b"")
    encoding = BYTE_ORDER_MARKS.get(mark, encoding)
    if encoding in ("utf-16", "utf-32"):
        encoding += "-be" if first[:1] == b"\0" else "-le"
    rest = chain([first[len(mark) :]], blocks)
    if encoding == "utf-8":
        yield from rest
        return
    decoder = codecs.getincrementaldecoder(encoding)("tidemark.unreadable")
    for block in rest:
        yield decoder.decode(block).encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", True).encode("utf-8", "surrogatepass")


def check_encoding(block: bytes, name: str, what: str, encoding: str) -> None:
    """Raises LandingError when the first bytes are no text, or look like UTF-16 and the source says otherwise."""
    head = block[:4096]
    if encoding.startswith(("utf-16", "utf-32")) or any(head.startswith(mark) for mark in BYTE_ORDER_MARKS):
        return
    if len(head) > 3 and head.count(0) >= len(head) // 3:
        order = "be" if head[0] == 0 else "le"
        raise LandingError(
            f'{name}: expected text in {encoding}, found what looks like UTF-16; set `encoding = "utf-16-{order}"` '
            "of the source"
        )
    controls = sum(head.count(code) for code in CONTROLS)
    if controls > 16 and controls > len(head) // 20:
        raise LandingError(
            f"{name}: expected {what}, found data that is no text (it begins with {shown(repr(head[:16]))}); deliver "
            f"it as plain text, or packed by {', '.join(PACKINGS)}"
        )


def packer(path: Path) -> Callable[[Path], Any]:
    """What opens a file for writing bytes in the packing that `path` has."""
    with path.open("rb") as file:
        packing = kind_of(file.read(HEAD_BYTES))
    return _PACKERS.get(packing or "", lambda target: target.open("wb"))


def _read(path: Path, name: str, packing: str | None) -> Iterator[bytes]:
    opened = _OPENERS[packing](path) if packing else path.open("rb")
    with opened as file:
        while True:
            try:
                block = file.read(CHUNK_BYTES)
            except (EOFError, zlib.error, lzma.LZMAError, OSError, pa.ArrowInvalid) as error:
                raise LandingError(
                    f"{name}: expected a whole {packing or 'file'}{' file' if packing else ''}, found a truncated or "
                    f"damaged one ({shown(error)}); deliver it again"
                ) from None
            if not block:
                return
            yield bytes(block)


def _check_not_packed(block: bytes, name: str, what: str, packing: str | None) -> None:
    """Raises LandingError when the first bytes are packed (again)."""
    found = kind_of(block)
    if found:
        raise LandingError(
            f"{name}: expected {what}, found {found} data{f' in {packing} data' if packing else ''}; "
            f"deliver it as plain text, or packed once by {', '.join(PACKINGS)}"
        )


def _stream(codec: str) -> Callable[[Path], Any]:
    return lambda path: pa.CompressedInputStream(pa.OSFile(str(path)), codec)


_OPENERS: dict[str, Callable[[Path], Any]] = {
    GZIP: gzip.GzipFile,
    ZSTD: _stream("zstd"),
    BZIP2: bz2.BZ2File,
    XZ: lzma.LZMAFile,
    LZ4: _stream("lz4"),
}
_PACKERS: dict[str, Callable[[Path], Any]] = {
    GZIP: lambda path: gzip.GzipFile(path, "wb"),
    ZSTD: lambda path: pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "zstd"),
    BZIP2: lambda path: bz2.BZ2File(path, "wb"),
    XZ: lambda path: lzma.LZMAFile(path, "wb"),  # noqa: SIM115
    LZ4: lambda path: pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "lz4"),
}


def _kind_of_node(mode: int) -> str:
    kinds = {
        stat.S_ISLNK: "a link",
        stat.S_ISDIR: "a folder",
        stat.S_ISFIFO: "a pipe",
        stat.S_ISSOCK: "a socket",
        stat.S_ISBLK: "a device",
        stat.S_ISCHR: "a device",
    }
    return next((words for holds, words in kinds.items() if holds(mode)), "no file")


def is_text(head: bytes) -> bool:
    """Whether no sign that texts never hold is among the bytes."""
    return not any(code in head for code in (0, *CONTROLS))
