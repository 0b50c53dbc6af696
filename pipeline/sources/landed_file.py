"""One landed file: whether it is whole, what it promises, how many records it holds.

The count made here is the one that the audit holds `raw_events` against: of text files the records that
`text_records` finds, of Parquet and ORC the rows that their footers state.
"""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.runtime.errors import LandingError
from pipeline.sources.json_array import array_elements, is_array
from pipeline.sources.source import TYPED_FORMATS, Drop
from pipeline.sources.text_records import Block, record_blocks
from pipeline.sources.typed_files import readable_schema
from pipeline.sources.unpack import check_content, check_file, shown

DELIMITERS = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'"}
UNNAMED = "column_"  # begins the names of columns of which the header has none, with their number


@dataclass(frozen=True)
class LandedFile:
    """A file as it was when it was looked at. `name` is relative to landing/.

    `columns` are the names of the fields as they are in the file, none for JSON; `header` is the same, for Parquet and
    ORC with the types in which they are read.
    """

    path: str
    name: str
    ds: str
    records: int
    header: tuple[str, ...]
    size: int
    modified: int
    sha256: str = ""
    columns: tuple[str, ...] = ()

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

    Raises LandingError naming it when it is no regular file, empty, damaged, of another kind than the source says, or
    lacks columns of `drop`.
    """
    check_file(path, name)
    before = path.stat()
    found = _content(path, name, drop) if before.st_size else None
    if found is None:
        if not allow_empty:
            raise LandingError(
                f"{name}: expected records, found an empty file; deliver it again, or set "
                "TIDEMARK_ALLOW_EMPTY=true when the day is really empty"
            )
        found = 0, drop.columns, drop.columns
    records, columns, header = found
    lacking = [column for column in drop.columns if column not in columns]
    if drop.format != "jsonl" and lacking:
        raise LandingError(
            f"{name}: expected the columns {', '.join(drop.columns)}, missing are {', '.join(lacking)} (found "
            f"{shown(', '.join(columns))}); {_how_to_mend(drop, columns)}"
        )
    file = LandedFile(
        str(path), name, ds, records, header, before.st_size, before.st_mtime_ns, sha256_of(path), columns
    )
    file.check_unchanged()  # also when it grew while it was hashed
    return file


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def csv_header(first: Block, name: str, drop: Drop) -> tuple[str, ...]:
    """The names of the columns of a CSV; without a header line those of the source, in its order.

    Columns without a name, which spreadsheets add on the right, get one: `column_7`.
    """
    line = first.slices()[0]
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise LandingError(
            f"{name}: expected a header in {drop.encoding}, found other bytes: {shown(line)}; deliver the file "
            "again or set `encoding` of the source"
        ) from None
    names = _fields(text, drop)
    if not drop.header:
        if len(names) != len(drop.columns):
            raise LandingError(
                f"{name}: expected {len(drop.columns)} fields without a header ({', '.join(drop.columns)}), found "
                f"{len(names)} in line 1: {shown(text)}; {_how_to_mend(drop, names)}"
            )
        return drop.columns
    _check_delimiter(names, name, drop)
    names = [text or f"{UNNAMED}{number}" for number, text in enumerate(names, 1)] if any(names) else names
    if len(set(names)) != len(names):
        again = next(it for number, it in enumerate(names) if it in names[:number])
        raise LandingError(
            f"{name}: expected each column once in the header, found {shown(text)} (twice: {shown(again)}); deliver "
            "the file with another name for one of them"
        )
    return tuple(names)


Content = tuple[int, tuple[str, ...], tuple[str, ...]]


def _content(path: Path, name: str, drop: Drop) -> Content | None:
    """Number of records, names of the columns, and the header; None when the file is empty."""
    if drop.format in TYPED_FORMATS:
        what, magic = ("Parquet", b"PAR1") if drop.format == "parquet" else ("ORC", b"ORC")
        check_content(path, name, magic, what)
        rows, schema = readable_schema(path, name, drop.format)
        return rows, tuple(schema.names), tuple(f"{field.name}:{field.type}" for field in schema)
    if drop.format == "jsonl":
        if is_array(path, name, drop):
            return len(array_elements(path, name, drop)), (), ()
        counts = [len(block) for block in record_blocks(str(path), name, drop)]
        return (sum(counts), (), ()) if counts else None
    blocks = record_blocks(str(path), name, drop, keep_empty_first=drop.header)
    first = next(blocks, None)
    if first is None:
        return None
    header = csv_header(first, name, drop) if len(first) else drop.columns
    records = len(first) + sum(len(block) for block in blocks)
    return records - (1 if drop.header else 0), header, header


def _fields(line: str, drop: Drop, delimiter: str = "") -> list[str]:
    quoting = csv.QUOTE_MINIMAL if drop.quote else csv.QUOTE_NONE
    rows = csv.reader(
        [line],
        delimiter=delimiter or drop.delimiter,
        quotechar=drop.quote or None,
        quoting=quoting,  # type: ignore[arg-type]  # one of the constants of csv
        escapechar=drop.escape or None if drop.escape != drop.quote else None,
    )
    try:
        return next(rows, [])
    except csv.Error:  # a line end or a quote where none can be: it is told as it is
        return [line]


def _check_delimiter(names: Sequence[str], name: str, drop: Drop) -> None:
    """Raises LandingError for a header of one column that another delimiter would tell apart."""
    if len(names) == 1 and (other := _other_delimiter(names, drop, len(drop.columns) == 1)):
        lacking = ", ".join(column for column in drop.columns if column not in names) or "none"
        raise LandingError(
            f"{name}: expected columns separated by {_words(drop.delimiter)}, missing are {lacking} (found "
            f"{shown(names[0])}), and the header seems to be separated by {_words(other)}; set `delimiter = "
            f"{_toml(other)}` of the source"
        )


def _how_to_mend(drop: Drop, columns: Sequence[str]) -> str:
    other = _other_delimiter(columns, drop) if drop.format == "csv" else None
    if other:
        return (
            f"the file seems to be separated by {_words(other)}, not by {_words(drop.delimiter)}: set `delimiter = "
            f"{_toml(other)}` of the source"
        )
    return "deliver the file again or correct `columns` of the source"


def _other_delimiter(columns: Sequence[str], drop: Drop, several: bool = False) -> str | None:
    """The delimiter by which more of the declared columns would be found; `several`: or any two."""
    line = drop.delimiter.join(columns)
    known = set(drop.columns)
    gains = {other: len(known & set(_fields(line, drop, other))) for other in DELIMITERS if other != drop.delimiter}
    best = max(gains, key=lambda other: gains[other], default="")
    if best and gains[best] > len(known & set(columns)):
        return best
    counts = {other: len(_fields(line, drop, other)) for other in gains}
    most = max(counts, key=lambda other: counts[other], default="")
    return most if most and counts[most] > max(1, len(columns)) and (several or len(columns) == 1) else None


def _words(delimiter: str) -> str:
    return DELIMITERS.get(delimiter, repr(delimiter))


def _toml(delimiter: str) -> str:
    return '"\\t"' if delimiter == "\t" else f'"{delimiter}"'
