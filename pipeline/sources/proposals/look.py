"""A first look at a file that nobody has described: format, packing, encoding, dialect, and a sample of its records.

Only a sample is read, spread over the file where that is possible without unpacking it, so that a file of a gigabyte
takes no longer than a small one.
"""

import csv
import gzip
import io
import lzma
import zlib
from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from charset_normalizer import from_bytes

from pipeline.runtime.errors import SourceError
from pipeline.sources.elements import object_texts

DELIMITERS = (",", ";", "\t", "|")
PIECES = 8  # places of a file that the sample is taken from
PIECE_BYTES = 1 << 20
SAMPLE_ROWS = 100_000
PACKED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\xfd7zXZ": "xz",
    b"\x04\x22\x4d\x18": "lz4",
}
MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
OTHERS = {b"PK\x03\x04": "a zip archive; unpack it", b"%PDF": "a PDF", b"\xd0\xcf\x11\xe0": "an old spreadsheet"}
ADOBE_HEADERS = "column_headers.tsv"


@dataclass(frozen=True)
class Look:
    """What was seen. `rows` holds texts for CSV and JSON lines, the file's own types for Parquet.

    `delimiter` and `header` are of CSV. `whole` says whether `rows` are all records of the file.
    """

    file: Path
    format: str
    packing: str | None
    encoding: str
    rows: pl.DataFrame
    whole: bool
    delimiter: str = ","
    header: bool = True

    @property
    def sampled(self) -> str:
        return f"all {len(self.rows)} records" if self.whole else f"a sample of {len(self.rows)} records"


def look_at(file: Path) -> Look:
    """Raises SourceError for what is no log: empty, missing, or of a format that is not read."""
    if not file.is_file():
        raise SourceError(f"{file}: expected a file, found {'a folder' if file.is_dir() else 'none'}")
    with file.open("rb") as content:
        magic = content.read(8)
    if not magic:
        raise SourceError(f"{file}: expected records, found an empty file")
    for mark, words in OTHERS.items():
        if magic.startswith(mark):
            raise SourceError(f"{file}: expected CSV, JSON lines or Parquet, found {words}")
    if magic.startswith(b"PAR1"):
        return _parquet(file)
    packing = next((name for mark, name in PACKED.items() if magic.startswith(mark)), None)
    try:
        pieces, whole = _sample(file, packing)
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise SourceError(
            f"{file}: expected a whole {packing or 'readable'} file, found a damaged one ({str(error)[:80]})"
        ) from None
    encoding = _encoding(pieces)
    share = SAMPLE_ROWS // len(pieces)
    texts = [piece.decode(encoding, errors="replace").removeprefix("\ufeff").strip("\r\n") for piece in pieces]
    lines = [text.split("\n") for text in texts]
    whole = whole and all(len(it) <= share + 1 for it in lines)  # a header is one more
    text = "\n".join(line for it in lines for line in it[: share + 1])
    if not text.strip():
        raise SourceError(f"{file}: expected records, found only blanks")
    seen = Look(file, "csv", packing, encoding, pl.DataFrame(), whole)
    first = text.lstrip()[:1]
    return _json(seen, text) if first in "{[" else _csv(seen, text)


def _sample(file: Path, packing: str | None) -> tuple[list[bytes], bool]:
    """Whole lines from places over the file, of a packed one from its beginning; and whether they are all of it."""
    size = file.stat().st_size
    if packing or size <= PIECES * PIECE_BYTES:
        with _unpacked(file, packing) as content:
            found = content.read(PIECES * PIECE_BYTES)
            whole = not content.read(1)
        return [found if whole else found[: found.rfind(b"\n") + 1] or found], whole
    pieces = []
    with file.open("rb") as content:
        for number in range(PIECES):
            content.seek(number * (size - PIECE_BYTES) // (PIECES - 1))
            piece = content.read(PIECE_BYTES)
            begin = piece.find(b"\n") + 1 if number else 0
            pieces.append(piece[begin : piece.rfind(b"\n") + 1])
    return pieces, False


def _unpacked(file: Path, packing: str | None) -> IO[bytes]:
    if packing is None:
        return file.open("rb")
    if packing == "gzip":
        return gzip.open(file)  # type: ignore[return-value]
    if packing == "xz":
        return lzma.open(file)  # type: ignore[return-value]
    return pa.input_stream(str(file), compression=packing)


def _encoding(pieces: list[bytes]) -> str:
    """UTF-8 where the sample is; else what the bytes look like most."""
    for mark, name in MARKS.items():
        if pieces[0].startswith(mark):
            return name
    content = b"".join(piece[:200_000] for piece in pieces)
    try:
        content[: content.rfind(b"\n") + 1 or None].decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        best = from_bytes(content[:400_000]).best()
        return best.encoding.replace("_", "-") if best else "latin-1"


def _json(seen: Look, text: str) -> Look:
    """Fields as texts; what is nested keeps its JSON text. A list of records is one record per element."""
    lines = text.split("\n")
    if text.lstrip()[0] == "[":
        raise SourceError(
            f"{seen.file}: expected JSON lines (one object per line), found a list; make lines of it with `jq -c '.[]'`"
        )
    records = [found for line in lines if (found := object_texts(line.encode())) is not None]
    if len(records) < 0.5 * len(lines):
        raise SourceError(
            f"{seen.file}: expected JSON lines (one object per line), found {lines[0][:80]!r}; make one line of each "
            "record with `jq -c .`"
        )
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = pl.DataFrame(
        {name: [record.get(name) for record in records] for name in names}, dict.fromkeys(names, pl.Utf8)
    )
    return replace(seen, format="jsonl", rows=rows)


def _csv(seen: Look, text: str) -> Look:
    """Fields as texts, an empty one as null; cut as most of the lines agree on."""
    delimiter = _delimiter(seen.file, text)
    cells = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    cells = [row for row in cells if any(row)]
    width = max(set(map(len, cells)), key=[len(row) for row in cells].count)
    rows = [row for row in cells if len(row) == width]
    header = _is_header(rows)
    names = rows[0] if header else _names_beside(seen.file, width)
    content = rows[1:] if header else rows
    columns = {name: [row[place] or None for row in content] for place, name in enumerate(names)}
    found = pl.DataFrame(columns, dict.fromkeys(columns, pl.Utf8))
    return replace(seen, rows=found, delimiter=delimiter, header=header)


def _delimiter(file: Path, text: str) -> str:
    """The one that cuts most records into equally many fields, quoted texts left whole; of several, into the most."""
    if file.name.split(".")[1:2] in (["tsv"], ["tab"]):
        return "\t"
    found = {}
    for delimiter in DELIMITERS:
        rows = [row for row in islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 1000) if any(row)]
        widths = Counter(map(len, rows))
        width, count = widths.most_common(1)[0]
        found[delimiter] = (width > 1, round(count / len(rows), 2), width)
    return max(DELIMITERS, key=lambda delimiter: found[delimiter])


def _is_header(rows: list[list[str]]) -> bool:
    """Whether the first row names columns: each cell once, none a number, and something below that is one."""
    first, rest = rows[0], rows[1:200]
    if len(set(first)) < len(first) or not all(cell.strip() for cell in first) or any(map(_has_value, first)):
        return False
    return not rest or any(_has_value(cell) for row in rest for cell in row)


def _has_value(cell: str) -> bool:
    """Whether a cell is a value rather than a name: it begins with a digit or a sign before one."""
    return cell.strip().lstrip("+-.")[:1].isdigit()


def _names_beside(file: Path, width: int) -> list[str]:
    """The names in `column_headers.tsv` of the same folder, as Adobe delivers it; else column_1, column_2, …"""
    beside = file.with_name(ADOBE_HEADERS)
    names = beside.read_text(encoding="utf-8").strip("\r\n").split("\t") if beside.is_file() else []
    return names if len(names) == width else [f"column_{place}" for place in range(1, width + 1)]


def _parquet(file: Path) -> Look:
    """Rows of up to PIECES row groups, spread over the file."""
    try:
        with pq.ParquetFile(file) as content:
            groups = content.num_row_groups
            chosen = sorted({number * (groups - 1) // max(PIECES - 1, 1) for number in range(min(PIECES, groups))})
            share = max(SAMPLE_ROWS // max(len(chosen), 1), 1)
            parts = [next(content.iter_batches(share, row_groups=[group]), None) for group in chosen]
            total = content.metadata.num_rows
            table = pa.Table.from_batches([part for part in parts if part is not None], content.schema_arrow)
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"{file}: expected a whole Parquet file, found {str(error).splitlines()[0][:80]!r}") from None
    if not len(table):
        raise SourceError(f"{file}: expected records, found a Parquet file without any")
    rows = pl.from_arrow(table)
    assert isinstance(rows, pl.DataFrame)
    return Look(file, "parquet", None, "utf-8", rows, len(rows) == total)
