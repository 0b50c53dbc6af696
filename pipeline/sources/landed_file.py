"""One landed file: whether it is whole, what it promises, how many records it holds.

Lines end with a line feed; a carriage return before it belongs to the line end. Empty lines are no records. The count
made here is the one that the audit holds `raw_events` against.
"""

import csv
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.runtime.errors import LandingError
from pipeline.sources.source import Drop

BLOCK_BYTES = 4 << 20
LONGEST_LINE = 64 << 20  # more than this without a line feed is no file of lines
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class LandedFile:
    """A file as it was when it was looked at. `name` is relative to landing/.

    `header` holds the columns as they are in the file; for Parquet with their types.
    """

    path: str
    name: str
    ds: str
    records: int
    header: tuple[str, ...]
    size: int
    modified: int
    sha256: str = ""

    def check_unchanged(self) -> None:
        """Raises LandingError when the file is not what it was: what was read may be half."""
        try:
            now = Path(self.path).stat()
        except OSError:
            raise LandingError(f"{self.name}: vanished while it was read; run again") from None
        if (now.st_size, now.st_mtime_ns) != (self.size, self.modified):
            raise LandingError(
                f"{self.name}: changed while it was read ({self.size} bytes, then {now.st_size}); "
                "run again when the delivery is complete"
            )


def inspect(path: Path, name: str, ds: str, drop: Drop, allow_empty: bool) -> LandedFile:
    """Reads the whole file once.

    Raises LandingError naming it when it is empty, damaged, or lacks columns of `drop`.
    """
    before = path.stat()
    records, header = _content(path, name, drop)
    if records < 0:
        if not allow_empty:
            raise LandingError(
                f"{name}: expected records, found an empty file; deliver it again, or set "
                "TIDEMARK_ALLOW_EMPTY=true when the day is really empty"
            )
        records, header = 0, drop.columns
    lacking = [column for column in drop.columns if column not in _names(header)]
    if drop.format != "jsonl" and lacking:
        raise LandingError(
            f"{name}: expected the columns {', '.join(drop.columns)}, missing are "
            f"{', '.join(lacking)} (found {', '.join(_names(header))}); deliver the file again or "
            "correct `columns` of the source"
        )
    file = LandedFile(str(path), name, ds, records, header, before.st_size, before.st_mtime_ns, sha256_of(path))
    file.check_unchanged()  # also when it grew while it was hashed
    return file


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def line_blocks(path: Path, name: str) -> Iterator[bytes]:
    """The file's content in blocks of whole lines, each ending with a line feed, without BOM.

    Raises LandingError when it cannot be read to its end.
    """
    try:
        yield from _line_blocks(path, name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise LandingError(
            f"{name}: expected a whole gzip file, found a truncated or damaged one ({error}); deliver it again"
        ) from None


def _content(path: Path, name: str, drop: Drop) -> tuple[int, tuple[str, ...]]:
    """Number of records, -1 when the file is empty, and the header."""
    if path.stat().st_size == 0:
        return -1, ()
    if drop.format == "parquet":
        return _parquet(path, name)
    blocks = line_blocks(path, name)
    first = next(blocks, None)
    if first is None:
        return -1, ()
    lines = sum(_records(block) for block in chain([first], blocks))
    if drop.format == "jsonl":
        return lines, ()
    return max(lines - 1, 0), _csv_header(first, name, drop.encoding)


def _parquet(path: Path, name: str) -> tuple[int, tuple[str, ...]]:
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise LandingError(
            f"{name}: expected a whole Parquet file, found a truncated or damaged one "
            f"({str(error).splitlines()[0]}); deliver it again"
        ) from None
    schema = metadata.schema.to_arrow_schema()
    return metadata.num_rows, tuple(f"{field.name}:{field.type}" for field in schema)


def _names(header: tuple[str, ...]) -> list[str]:
    return [column.split(":")[0] for column in header]


def _csv_header(block: bytes, name: str, encoding: str) -> tuple[str, ...]:
    try:
        line = block[: block.index(b"\n")].decode(encoding)
    except UnicodeDecodeError:
        raise LandingError(
            f"{name}: expected a header in {encoding}, found other bytes; deliver the file again "
            "or set `encoding` of the source"
        ) from None
    header = tuple(next(csv.reader([line.rstrip("\r")]), ()))
    if len(set(header)) != len(header):
        raise LandingError(f"{name}: expected each column once in the header, found {line.strip()}")
    return header


def _records(block: bytes) -> int:
    return sum(1 for line in block.split(b"\n") if line not in (b"", b"\r"))


def _line_blocks(path: Path, name: str) -> Iterator[bytes]:
    rest, at_start = b"", True
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            if at_start:
                block, at_start = block.removeprefix(BYTE_ORDER_MARK), False
            block = rest + block
            cut = block.rfind(b"\n") + 1
            if cut:
                yield block[:cut]
            rest = block[cut:]
            if len(rest) > LONGEST_LINE:
                raise LandingError(
                    f"{name}: expected one record per line, found a line of more than "
                    f"{LONGEST_LINE >> 20} MiB; deliver the file again"
                )
    if rest:
        yield rest + b"\n"
