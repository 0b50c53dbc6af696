"""The lines of one landed catalogue file, each as named fields or with what is wrong with it."""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pipeline.source_file import Drop

Fields = dict[str, str | None]
Line = tuple[int, Fields, str | None]  # line number from 1, fields, problem
DAMAGED = (OSError, EOFError, UnicodeDecodeError, zlib.error)


def catalogue_lines(path: Path, drop: Drop) -> Iterator[Line]:
    """Every line that is not blank. A damaged file ends with a line that has the problem."""
    number = 0
    try:
        with _open(path, drop.encoding) as file:
            for number, fields, problem in _csv(file, drop) if _is_csv(drop) else _jsonl(file):
                yield number, fields, problem
    except DAMAGED as error:
        yield number + 1, {}, f"a file that ends or breaks here: {error}"


def _is_csv(drop: Drop) -> bool:
    return drop.format == "csv"


def _open(path: Path, encoding: str) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")


def _jsonl(file: IO[str]) -> Iterator[Line]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            yield number, *_json_fields(line)


def _json_fields(line: str) -> tuple[Fields, str | None]:
    """Texts as they are, null as null, everything else as its JSON text."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}, "no JSON"
    if not isinstance(found, dict):
        return {}, "JSON that is no object"
    return {name: _text(value) for name, value in found.items()}, None


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _csv(file: IO[str], drop: Drop) -> Iterator[Line]:
    reader = csv.reader(file, strict=True)
    header: list[str] = []
    try:
        header = next(reader, [])
        missing = sorted(set(drop.columns) - set(header))
        if missing:
            yield 1, {}, f"a header without {', '.join(missing)}"
            return
        for values in reader:
            if values:
                yield reader.line_num, *_csv_fields(header, values)
    except csv.Error as error:
        yield reader.line_num, {}, f"no CSV: {error}"


def _csv_fields(header: list[str], values: list[str]) -> tuple[Fields, str | None]:
    if len(values) != len(header):
        return {}, f"{len(values)} fields where the header has {len(header)}"
    return {name: value or None for name, value in zip(header, values, strict=True)}, None
