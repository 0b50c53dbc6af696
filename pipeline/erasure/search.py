"""The proof: a search of every file below the home for the names of erased persons.

Parquet files are searched by column, gzip files unpacked, all others byte by byte, databases included. The search does
not know how the home is laid out, so it finds what erasing missed.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.erasure.names import Names
from pipeline.runtime.settings import Settings

BLOCK = 4 << 20


def search(settings: Settings, names: Names) -> tuple[int, list[Path]]:
    """How many files were searched, and those that name one of the persons."""
    files = [path for path in settings.home.rglob("*") if path.is_file() and not path.is_symlink()]
    return len(files), [path for path in sorted(files) if named_in(path, names)]


def named_in(path: Path, names: Names) -> bool:
    """Whether one of the names is in the file."""
    rest = b""
    with suppress(FileNotFoundError):  # a log that was rotated, a file of a run that ended
        for block in _blocks(path, names):
            block = rest + block
            if names.maybe(block) and names.spans(block):
                return True
            rest = block[-names.longest - 1 :]
    return False


def _blocks(path: Path, names: Names) -> Iterator[bytes]:
    """The content, as far as it is text, in blocks."""
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PAR1":
        with suppress(pa.ArrowException, OSError):  # a half-written one is searched as it is
            yield from _columns(path, names)
            return
    if start[:2] == b"\x1f\x8b":
        with suppress(EOFError, zlib.error, gzip.BadGzipFile), gzip.open(path) as unpacked:
            yield from _read(unpacked)  # type: ignore[arg-type]
            return
    with path.open("rb") as file:
        yield from _read(file)


def _read(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block


def _columns(path: Path, names: Names) -> Iterator[bytes]:
    """The texts of every column that may hold a name, nested ones too, and the footer's bounds."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            for column in file.read_row_group(group).columns:
                for chunk in column.chunks:
                    yield from _texts(chunk, names)
    with path.open("rb") as raw:
        raw.seek(max(0, path.stat().st_size - BLOCK))
        yield raw.read()


def _texts(array: pa.Array, names: Names) -> Iterator[bytes]:
    """The values, a line each, of a text column whose bytes hold a name somewhere."""
    kind = array.type
    if pa.types.is_struct(kind):
        for number in range(kind.num_fields):
            yield from _texts(array.field(number), names)
    elif pa.types.is_map(kind):
        yield from _texts(array.keys, names)
        yield from _texts(array.items, names)
    elif pa.types.is_dictionary(kind):
        yield from _texts(array.dictionary, names)
    elif pa.types.is_nested(kind):  # lists of any kind
        yield from _texts(array.values, names)
    elif not (pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)):
        texts = array.cast(pa.large_binary())
        data = texts.buffers()[2]
        if data is not None and names.maybe(memoryview(data).tobytes()):
            yield b"\n".join([b"", *texts.drop_null().to_pylist(), b""])
