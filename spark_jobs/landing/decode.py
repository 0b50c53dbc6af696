"""Records of a text file → columns of text, a block at a time.

CSV is read by Arrow; JSON by msgspec, whose numbers keep the text of the file. JSON is what RFC 8259 says and no more:
NaN, a lone surrogate, a leading zero, a trailing comma or a name that occurs twice makes a record malformed, whether or
not the source declares the field.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from pipeline.sources.source import Drop
from pipeline.sources.text_records import Block, breaks_outside
from pipeline.storage.suppression import ERASED

PLACE = ("line", "text", "problem", "sha256", "unknown")
MAP = pa.map_(pa.string(), pa.string())
NULL_CHARACTER = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
UNUSUAL = re.compile(rb'"[ \t]+:|:[ \t]*-0[ \t]*[,}]')  # a name apart from its colon; a zero below zero

_VALUES = msgspec.json.Decoder(float_hook=str)
_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])

Values = list[str | None]
Problems = dict[int, str]


@dataclass(frozen=True)
class Reading:
    """How the records of a source's text files are read. `keep_text`: with the text of each record."""

    drop: Drop
    max_record_bytes: int
    keep_text: bool = False


def decode(block: Block, header: Sequence[str], reading: Reading) -> pa.Table:
    """One row per record: PLACE, and the fields of the source in its order, `f0`, `f1`, …

    `problem` is why a record cannot be read; such a record has no fields. `unknown` holds the fields that the source
    does not declare.
    """
    records = block.slices()
    problems = _problems(block, records, reading.max_record_bytes)
    if reading.drop.format == "csv":
        fields, unknown = _csv(block, records, problems, header, reading.drop)
    else:
        fields, unknown = _json(block, records, problems, reading.drop.columns)
    readable = [row not in problems or problems[row] not in NO_TEXT for row in range(len(records))]
    texts = [
        record.decode() if readable[row] else None for row, record in enumerate(records) if reading.keep_text
    ] or pa.nulls(len(records), pa.string())
    place = {
        "line": pa.array(block.lines, pa.int64()),
        "text": pa.array(texts, pa.string()) if isinstance(texts, list) else texts,
        "problem": _sparse(problems, len(records)),
        "sha256": _sparse({row: _hash(block, row, problems[row]) for row in problems}, len(records)),
        "unknown": unknown,
    }
    return pa.table({**place, **{f"f{number}": field for number, field in enumerate(fields)}})


NO_TEXT = ("bad_encoding", "null_byte", "oversized")


def _problems(block: Block, records: list[bytes], max_record_bytes: int) -> Problems:
    """Why records hold no text that could be read, by their position in the block."""
    problems: Problems = {}
    if b"\0" in block.data:
        problems |= {row: "null_byte" for row, record in enumerate(records) if b"\0" in record}
    if not _decodes(block.data):
        problems |= {row: "bad_encoding" for row, record in enumerate(records) if not _decodes(record)}
    too_long = np.flatnonzero(block.stops - block.starts > max_record_bytes)
    problems |= dict.fromkeys(too_long.tolist(), "oversized")
    if block.broken.any():
        problems = dict.fromkeys(np.flatnonzero(block.broken).tolist(), "malformed") | problems
    erased = ERASED.encode()
    if erased in block.data:
        marks = (erased, b'"%b"' % erased)  # the latter in a JSON array
        problems |= {row: ERASED for row, record in enumerate(records) if record in marks}
    return problems


def _decodes(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _hash(block: Block, row: int, problem: str) -> str:
    """Of the record; of one that holds no text with its line end, because it may be that which is wrong."""
    end = block.stops[row] if problem in NO_TEXT else block.ends[row]
    return hashlib.sha256(block.data[block.starts[row] : end]).hexdigest()


def _csv(
    block: Block, records: list[bytes], problems: Problems, header: Sequence[str], drop: Drop
) -> tuple[list[pa.Array], pa.Array]:
    """Fields of a CSV; an empty one is NULL."""
    other_end = b"\r" if block.dialect.end == b"\n" else b"\n"
    if other_end in block.data.replace(b"\r\n", b""):
        problems |= {
            row: "malformed"
            for row, record in enumerate(records)
            if row not in problems and breaks_outside(record, block.dialect)
        }
    good = [row for row in range(len(records)) if row not in problems]
    columns, bad = _arrow_csv([records[row] for row in good], len(header), drop)
    problems |= {good[row]: "malformed" for row in bad}
    kept = [row for number, row in enumerate(good) if number not in bad]
    if columns and kept:
        empty = columns[0].is_null()
        for column in columns[1:]:
            empty = pc.and_(empty, column.is_null())
        padding = np.flatnonzero(empty.to_numpy(zero_copy_only=False))
        problems |= {kept[row]: "padding" for row in padding.tolist()}
    places = np.full(len(records), -1, np.int64)
    places[kept] = np.arange(len(kept))
    places[list(problems)] = -1
    take = pa.array(places, pa.int64(), mask=places < 0)
    found = {name: column.take(take) for name, column in zip(header, columns, strict=True)}
    fields = [found.pop(name) for name in drop.columns]
    return fields, _map_of_columns(found, len(records))


def _arrow_csv(records: list[bytes], width: int, drop: Drop) -> tuple[list[pa.Array], set[int]]:
    """`width` columns of the records that have so many fields, and the positions of those that have not."""
    names = [str(number) for number in range(width)]
    if not records:
        return [pa.array([], pa.string()) for _ in names], set()
    bad: set[int] = set()

    def skip(row: arrow_csv.InvalidRow) -> str:
        bad.add(row.number - 1)
        return "skip"

    content = b"\n".join(records) + b"\n"
    escape = drop.escape if drop.escape and drop.escape != drop.quote else False
    table = arrow_csv.read_csv(
        pa.BufferReader(content),
        arrow_csv.ReadOptions(use_threads=False, block_size=len(content) + 1, column_names=names),
        arrow_csv.ParseOptions(
            delimiter=drop.delimiter,
            quote_char=drop.quote or False,
            escape_char=escape,
            newlines_in_values=True,
            invalid_row_handler=skip,
        ),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    if table.num_rows + len(bad) == len(records):
        return [column.combine_chunks() for column in table.columns], bad
    if len(records) == 1:  # one that Arrow reads as none, or as several
        return [pa.array([], pa.string()) for _ in names], {0}
    parts = [_arrow_csv([record], width, drop) for record in records]
    columns = [pa.concat_arrays([part[number] for part, _ in parts]) for number in range(width)]
    return columns, {row for row, (_, wrong) in enumerate(parts) if wrong}


def _map_of_columns(columns: dict[str, pa.Array], rows: int) -> pa.Array:
    """The values that are there, by the names of their columns; NULL for a row without any."""
    if not columns:
        return pa.nulls(rows, MAP)
    there = np.stack([column.is_valid().to_numpy(zero_copy_only=False) for column in columns.values()], axis=1)
    row, column = np.nonzero(there)
    values = pa.concat_arrays(list(columns.values())).take(pa.array(column * rows + row))
    keys = pa.array(list(columns), pa.string()).take(pa.array(column))
    counts = there.sum(axis=1)
    return _map(counts, keys, values)


def _map(counts: np.ndarray, keys: pa.Array, values: pa.Array) -> pa.Array:
    offsets = np.concatenate(([0], np.cumsum(counts)))
    mask = np.concatenate((counts == 0, [False]))
    return pa.MapArray.from_arrays(pa.array(offsets, pa.int32(), mask=mask), keys, values)


def _json(
    block: Block, records: list[bytes], problems: Problems, columns: Sequence[str]
) -> tuple[list[pa.Array], pa.Array]:
    """Fields of JSON objects as text; what is nested is JSON on one line, without blanks."""
    escaped_null = b"\\u0000" in block.data
    unusual = bool(UNUSUAL.search(block.data))
    rows: list[dict[str, Any]] = []
    for number, record in enumerate(records):
        row: dict[str, Any] = {}
        if number not in problems:
            if escaped_null and NULL_CHARACTER.search(record):
                problems[number] = "null_byte"
            elif (found := _object(record, unusual)) is None:
                problems[number] = "malformed"
            else:
                row = found
        rows.append(row)
    fields = [_texts([row.get(name) for row in rows]) for name in columns]
    known = set(columns)
    counts = np.zeros(len(rows), np.int64)
    keys: list[str] = []
    values: list[Any] = []
    for number, row in enumerate(rows):
        if not row.keys() <= known:
            more = [name for name in row if name not in known and row[name] is not None]
            counts[number] = len(more)
            keys += more
            values += [row[name] for name in more]
    return fields, _map(counts, pa.array(keys, pa.string()), _texts(values))


def _object(record: bytes, unusual: bool) -> dict[str, Any] | None:
    """The fields of one JSON object: texts, whole numbers, true and false, None; None for what is no such object.

    In most records each name is seen by its `":`, and nothing is nested; others are looked at again.
    """
    try:
        found = _VALUES.decode(record)
        if type(found) is not dict:
            return None
        flat = record.count(b"{") == 1 and b"[" not in record
        if flat and not unusual and record.count(b'":') == len(found):
            return found
        raw = {name: bytes(value) for name, value in _RAW.decode(record).items()}
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    inner = sum(value.count(b'":') for value in raw.values())
    if (unusual or record.count(b'":') - inner != len(raw)) and _has_name_twice(record):
        return None
    for name, value in found.items():
        if type(value) in (dict, list):
            found[name] = msgspec.json.format(raw[name], indent=-1).decode()
        elif type(value) is int:
            found[name] = raw[name].decode().strip()
    return found


def _has_name_twice(record: bytes) -> bool:
    """Of the object itself; what is nested is text for us."""
    pairs = json.loads(record, object_pairs_hook=list)
    return len({name for name, _ in pairs}) < len(pairs)


def _texts(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:
    if value is True or value is False:
        return "true" if value else "false"
    return value if value is None else str(value)


def _sparse(values: dict[int, str], length: int) -> pa.Array:
    """An array that is null but for `values` by position."""
    if not values:
        return pa.nulls(length, pa.string())
    return pa.array([values.get(row) for row in range(length)], pa.string())
