"""What a file holds, decoded: texts, in which words have edges, and bytes, in which they have none.

A file is known by its content. What is packed is unpacked, archives are opened, tables are read by column, databases by
value. The bytes of tables and databases are read too: statistics, free pages and logs of changes are in them.
"""

import bz2
import codecs
import gzip
import io
import lzma
import math
import sqlite3
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import ipc, orc

from pipeline.erasure.avro import avro_blocks
from pipeline.sources.unpack import BYTE_ORDER_MARKS, HEAD_BYTES, PACKINGS, is_text, kind_of

BLOCK = 4 << 20
LARGEST_MEMBER = 512 << 20  # bytes of a file within another, which is held in memory
DEEPEST = 4  # packed within packed within …
ROWS = 1000  # of a database, read at once
SAMPLE, RANDOM = 64 << 10, 7.99  # bytes looked at; bits of information a byte, which only packed data has
CLOSED = {
    b"PARE": "encrypted Parquet",
    b"Salted__": "encrypted data",
    b"age-encryption.org": "encrypted data",
    b"-----BEGIN PGP MESSAGE": "encrypted data",
    b"-----BEGIN AGE ENCRYPTED": "encrypted data",
    b"LUKS\xba\xbe": "an encrypted disk",
}
NOT_READ = ("snappy", "compress (.Z)", "lzop", "7z", "RAR", "PDF")  # of `kind_of`
SHOWN = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"wOF")  # pictures and fonts: only their bytes are read
DAMAGE = (
    *(pa.ArrowException, OSError, ValueError, sqlite3.Error, EOFError, NotImplementedError, RuntimeError),
    *(zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, OverflowError),
)


class UnsearchableError(Exception):
    """Why a file cannot be searched, in words."""


@dataclass(frozen=True)
class Piece:
    """A part of a file. A part of a `stream` follows on the one before it of the same stream.

    `is_bound`: it may hold the least and greatest values of files, cut short.
    """

    content: str | bytes
    is_text: bool = True
    stream: str = ""
    is_bound: bool = False


@dataclass(frozen=True)
class Looking:
    """What a reader may leave out: columns of text without what may be a name, and all numbers but some."""

    maybe: Callable[[bytes], bool]
    numbers: Sequence[int] = ()


def pieces(file: IO[bytes], looking: Looking, path: Path | None = None, depth: int = 0) -> Iterator[Piece]:
    """What a file holds, from its start. `path`: where it is, unless it is within another file.

    Raises UnsearchableError after the last piece that can be read.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    kind = kind_of(head) or ""
    if kind in PACKINGS or kind in ("zip", "tar"):
        if depth == DEEPEST:
            raise UnsearchableError(f"packed more than {DEEPEST} times")
        yield from _unpacked(file, looking, kind, depth)
        return
    reader = READERS.get(kind)
    problem = next((words for magic, words in CLOSED.items() if head.startswith(magic)), "")
    if kind in NOT_READ or head[8:12] == b"DUCK":
        problem = f"{kind or 'DuckDB'} data, which is not read"
    if reader is not None:
        try:
            yield from reader(file, looking, path)
        except DAMAGE as error:
            problem = f"damaged {kind} data ({_words(error)})"
        file.seek(0)
    yield from _blocks(file, reader is None and is_text(head))
    if not problem and reader is None and not head.startswith(SHOWN) and _looks_encrypted(file):
        problem = "data of no known kind, packed or encrypted"
    if problem:
        raise UnsearchableError(problem)


def texts(array: pa.Array, looking: Looking) -> Iterator[bytes]:
    """The values of a column that are to be looked at, a line each, nested ones too."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        yield from texts(array.storage, looking)
    elif pa.types.is_struct(kind):
        for number in range(kind.num_fields):
            yield from texts(array.field(number), looking)
    elif pa.types.is_map(kind):
        yield from texts(array.keys, looking)
        yield from texts(array.items, looking)
    elif pa.types.is_dictionary(kind):
        yield from texts(array.dictionary, looking)
    elif pa.types.is_nested(kind):  # lists of any kind
        yield from texts(array.values, looking)
    elif pa.types.is_integer(kind):
        fitting = [it for it in looking.numbers if it < 1 << (kind.bit_width - 1)]
        if fitting:
            found = array.filter(pc.is_in(array, pa.array(fitting, kind)))
            yield "\n".join(map(str, found.to_pylist())).encode()
    elif not (pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)):
        values = array.cast(pa.large_binary())
        data = values.buffers()[2]
        if data is not None and looking.maybe(memoryview(data).tobytes()):
            yield b"\n".join([b"", *values.drop_null().to_pylist(), b""])


def _unpacked(file: IO[bytes], looking: Looking, kind: str, depth: int) -> Iterator[Piece]:
    try:
        if kind in PACKINGS:
            yield from _stream(OPENERS[kind](file), looking, depth)
            return
        closed: list[str] = []
        for name, member in _members(file, kind):
            yield Piece(name)
            try:
                yield from _stream(member, looking, depth) if member is not None else ()
            except UnsearchableError as error:
                closed.append(str(error))
    except DAMAGE as error:
        raise UnsearchableError(f"{kind} data that is damaged or encrypted ({_words(error)})") from None
    if closed:
        raise UnsearchableError(f"a {kind} archive, in which {len(closed)} files are {closed[0]}")


def _stream(stream: Any, looking: Looking, depth: int) -> Iterator[Piece]:
    """What is packed: bytes and text block by block, anything else from memory."""
    with stream:
        head = bytes(stream.read(BLOCK))
        if not kind_of(head[:HEAD_BYTES]) and not head.startswith(tuple(CLOSED)):
            yield from _blocks(_Rest(head, stream), is_text(head[:HEAD_BYTES]))
            return
        content = head + bytes(stream.read(LARGEST_MEMBER - len(head) + 1))
        if len(content) > LARGEST_MEMBER:
            raise UnsearchableError(f"packed data of more than {LARGEST_MEMBER >> 20} MiB within a packed file")
        yield from pieces(io.BytesIO(content), looking, depth=depth + 1)


def _members(file: IO[bytes], kind: str) -> Iterator[tuple[str, Any]]:
    """Name and content of each member of an archive."""
    if kind == "zip":
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                yield f"{entry.filename}\n", archive.open(entry)
    else:
        with tarfile.open(fileobj=file) as tar:
            for member in tar:
                yield f"{member.name}\n{member.linkname}\n", tar.extractfile(member)


class _Rest:
    """A stream of which the head has been read."""

    def __init__(self, head: bytes, stream: Any) -> None:
        self._head, self._stream = head, stream

    def read(self, size: int) -> bytes:
        found, self._head = self._head, b""
        return found or bytes(self._stream.read(size))


def _blocks(file: Any, text: bool) -> Iterator[Piece]:
    """The bytes, and what they are as UTF-16 or UTF-32."""
    decoder, wide = None, False
    yield Piece("")  # what came before is another stream
    while block := file.read(BLOCK):
        if decoder is None:
            mark = next((it for it in BYTE_ORDER_MARKS if block.startswith(it)), b"")
            encoding = BYTE_ORDER_MARKS.get(mark, "utf-8")
            wide = block[:4096].count(0) >= max(len(block[:4096]) // 3, 2)
            decoder = codecs.getincrementaldecoder(encoding)("replace")
        yield Piece(block, text, "bytes")
        if encoding != "utf-8":
            yield Piece(decoder.decode(block), True, "decoded")
        elif b"\0" in block:
            yield Piece(block.replace(b"\0", b""), wide, "without zeros")


def _parquet(file: IO[bytes], looking: Looking, path: Path | None) -> Iterator[Piece]:
    """The values, and of columns with a dictionary also those that no row has."""
    schema = pq.read_schema(file)
    file.seek(0)
    plain = [it.name for it in schema if pa.types.is_string(it.type) or pa.types.is_binary(it.type)]
    with pq.ParquetFile(file, read_dictionary=plain) as parquet:
        for group in range(parquet.num_row_groups):
            yield from _columns(parquet.read_row_group(group), looking)


def _orc(file: IO[bytes], looking: Looking, path: Path | None) -> Iterator[Piece]:
    read = orc.ORCFile(file)
    yield Piece(str(read.schema.metadata or ""))
    for number in range(read.nstripes):
        yield from _columns(pa.Table.from_batches([read.read_stripe(number)]), looking)


def _arrow(file: IO[bytes], looking: Looking, path: Path | None) -> Iterator[Piece]:
    with ipc.open_file(file) as read:
        for number in range(read.num_record_batches):
            yield from _columns(pa.Table.from_batches([read.get_batch(number)]), looking)


def _columns(rows: pa.Table, looking: Looking) -> Iterator[Piece]:
    for column in rows.columns:
        for chunk in column.chunks:
            yield from map(Piece, texts(chunk, looking))


def _avro(file: IO[bytes], looking: Looking, path: Path | None) -> Iterator[Piece]:
    for block in avro_blocks(file):
        yield Piece(block, False, is_bound=True)


def _sqlite(file: IO[bytes], looking: Looking, path: Path | None) -> Iterator[Piece]:
    """Every value of every table, changes that wait in a log of their own included."""
    if path is not None:
        opened = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=60)
    else:
        opened = sqlite3.connect(":memory:")
        content = bytearray(file.read())
        content[18:20] = b"\1\1"  # without a log of changes, which is a file of its own
        opened.deserialize(bytes(content))
    with closing(opened) as database:
        database.text_factory = bytes
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'")
        for (name,) in names.fetchall():
            quoted = name.decode().replace('"', '""')
            rows = database.execute(f'SELECT * FROM "{quoted}"')
            while some := rows.fetchmany(ROWS):
                values = [it if isinstance(it, bytes) else str(it).encode() for row in some for it in row]
                yield Piece(b"\n".join([b"", *values, b""]))
                for value in values:
                    if kind_of(value[:HEAD_BYTES]) in PACKINGS:
                        yield from pieces(io.BytesIO(value), looking, depth=1)


def _looks_encrypted(file: IO[bytes]) -> bool:
    file.seek(0)
    sample = file.read(SAMPLE)
    counts = Counter(sample).values()
    return len(sample) == SAMPLE and -sum(n / SAMPLE * math.log2(n / SAMPLE) for n in counts) > RANDOM


def _words(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:80]


READERS: dict[str, Callable[[IO[bytes], Looking, Path | None], Iterator[Piece]]] = {
    "Parquet": _parquet,
    "ORC": _orc,
    "Arrow": _arrow,
    "Avro": _avro,
    "SQLite": _sqlite,
}
OPENERS: dict[str, Callable[[Any], Any]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "zstd": lambda file: pa.CompressedInputStream(file, "zstd"),
    "lz4": lambda file: pa.CompressedInputStream(file, "lz4"),
}
