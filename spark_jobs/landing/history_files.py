"""Copy the records of history files, byte by byte or value by value, into one landing file per day.

The bytes are gone through once. Each day's records are collected in a part of its own (of lines, or of Arrow batches),
so that a history in any order takes bounded memory and few open files; the parts then become the day's file.
"""

import csv
import gzip
import io
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.runtime.days import days_since_1970
from pipeline.runtime.errors import LandingError
from pipeline.runtime.progress import Progress
from pipeline.sources.imports import SHOWN, Outside
from pipeline.sources.json_array import array_elements, is_array
from pipeline.sources.landed_file import LandedFile
from pipeline.sources.source import TYPED_FORMATS, Delivery, Drop, Source
from pipeline.sources.text_records import record_blocks
from spark_jobs.landing.history_days import NO_TIME, DaysOfLines, index_batches

EARLIEST, LATEST = days_since_1970("1971-01-01"), days_since_1970("9998-12-31")  # 1970: a time that is 0, or none
HELD_BYTES = 64 << 20  # of Parquet rows, before they are sorted into days
BATCH_ROWS = 1 << 16


@dataclass
class Survey:
    """Which days there are: `rows` per day since 1970, once those outside are placed on the nearest."""

    first: int
    last: int
    rows: Counter[int] = field(default_factory=Counter)
    outside: dict[str, Outside] = field(default_factory=dict)

    def placed(self, days: np.ndarray) -> np.ndarray:
        """The day on which records of these days land: without a time on the first."""
        return np.clip(np.where(days == NO_TIME, self.first, days), self.first, self.last)


def survey(source: Source, files: list[LandedFile], indexes: list[Path]) -> Survey:
    """Goes through the indexes of all files.

    Without bounds of the delivery, the span is that of the times that can be meant: a time of 1970 is none. Raises
    LandingError when no record has one.
    """
    delivery = source.delivery
    first, last = (days_since_1970(day) if day else None for day in (delivery.first_day, delivery.last_day))
    lowest, highest = EARLIEST if first is None else first, LATEST if last is None else last
    spans = [
        (int(inside.min()), int(inside.max()))
        for index in indexes
        for batch in index_batches(index)
        for days in [batch["day"].to_numpy()]
        if len(inside := days[(days >= lowest) & (days <= highest)])
    ]
    if first is None and not spans:
        raise LandingError(f"{files[0].name}: no record has an event_time; see `source check {source.file}`")
    first = min(low for low, _ in spans) if first is None else first
    last = max((high for _, high in spans), default=first) if last is None else last
    found = Survey(first, last)
    reasons: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "without an event_time": lambda days: days == NO_TIME,
        f"before {delivery.first_day or EARLIEST_DAY}": lambda days: days < first,
        f"after {delivery.last_day or LATEST_DAY}": lambda days: (days > last) & (days != NO_TIME),
    }
    unit = "row" if delivery.format in TYPED_FORMATS else "line"
    for file, index in zip(files, indexes, strict=True):
        for batch in index_batches(index):
            days, lines = batch["day"].to_numpy(), batch["line"].to_numpy()
            for reason, holds in reasons.items():
                _note(found, reason, file, unit, lines[holds(days)], days[holds(days)])
            numbers, counts = np.unique(found.placed(days), return_counts=True)
            found.rows.update(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))
    return found


def _note(found: Survey, reason: str, file: LandedFile, unit: str, lines: np.ndarray, days: np.ndarray) -> None:
    if len(lines):
        noted = found.outside.setdefault(reason, Outside(ds=day_of(int(found.placed(days[:1])[0]))))
        noted.rows += len(lines)
        noted.examples += [f"{file.name} {unit} {line}" for line in lines[: SHOWN - len(noted.examples)]]


def day_of(number: int) -> str:
    """A day since 1970 as `YYYY-MM-DD`."""
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()


EARLIEST_DAY, LATEST_DAY = day_of(EARLIEST), day_of(LATEST)


class TextDays:
    """Days of files of text. Records stay as they are, in the encoding of the delivery.

    Where the files' columns differ, each file's fields are put under the columns of all: still as they are written.
    """

    def __init__(self, delivery: Drop, files: list[LandedFile], parts: Path) -> None:
        self._delivery, self._parts = delivery, parts
        self._columns = _all_columns([file.header for file in files])
        self._has_header = delivery.format == "csv" and delivery.header
        self._head = b""

    def split(self, file: LandedFile, index: Path, found: Survey, progress: Progress) -> None:
        """Adds the file's records to the parts of their days."""
        own = _all_columns([file.header])
        arrange = None if own == self._columns else _Rearranged(file.name, own, self._columns, self._delivery)
        days = DaysOfLines(index)
        for number, (lines, records) in enumerate(self._records(file)):
            if number == 0 and self._has_header:
                self._head = self._head or (_header(self._columns, self._delivery) if arrange else records[0])
                lines, records = lines[1:], records[1:]
            if not records:
                continue
            of, _ = days.of(int(lines[0]), int(lines[-1] - lines[0]) + 1)
            placed = found.placed(of[lines - lines[0]])
            if arrange:
                records = [arrange.record(record, line) for record, line in zip(records, lines.tolist(), strict=True)]
            self._add(placed, records)
            progress.show(f"{file.name}: {int(lines[-1]):,} lines split into days")

    def write(self, day: int, target: Path) -> None:
        """The day's file, gzipped when its name says so; the same records give the same bytes."""
        with target.open("wb") as file, (self._parts / str(day)).open(encoding="utf-8", newline="") as part:
            gzipped = self._delivery.path.endswith(".gz")
            out = gzip.GzipFile("", "wb", 6, file, mtime=0) if gzipped else file
            text = io.TextIOWrapper(out, self._delivery.encoding, newline="")  # type: ignore[arg-type]
            text.write(self._head.decode())
            shutil.copyfileobj(part, text, 1 << 20)
            text.flush()
            text.detach()
            if gzipped:
                out.close()

    def _records(self, file: LandedFile) -> Iterator[tuple[np.ndarray, list[bytes]]]:
        """Some records at a time, each with its line end, and the lines on which they begin."""
        if self._delivery.format == "jsonl" and is_array(Path(file.path), file.name, self._delivery):
            elements = array_elements(Path(file.path), file.name, self._delivery)
            yield np.arange(1, len(elements) + 1), [b" ".join(it.splitlines()) + b"\n" for it in elements]
            return
        for block in record_blocks(file.path, file.name, self._delivery, keep_empty_first=self._has_header):
            places = zip(block.starts.tolist(), block.stops.tolist(), strict=True)
            yield block.lines, [block.data[start:stop] for start, stop in places]

    def _add(self, days: np.ndarray, records: list[bytes]) -> None:
        order = np.argsort(days, kind="stable")
        for day, start, end in _runs(days[order]):
            with (self._parts / str(day)).open("ab") as part:
                part.writelines(records[at] for at in order[start:end].tolist())


class _Rearranged:
    """Records of one file under the columns of all files."""

    def __init__(self, name: str, own: list[tuple[str, int]], columns: list[tuple[str, int]], drop: Drop) -> None:
        self._name, self._own, self._all = name, len(own), len(columns)
        self._delimiter, self._quote = drop.delimiter, drop.quote
        place = {column: at for at, column in enumerate(own)}
        self._places = [place.get(column) for column in columns]
        quote, delimiter = re.escape(drop.quote), re.escape(drop.delimiter)
        quoted = f"{quote}(?:[^{quote}]|{quote}{quote})*{quote}[^{delimiter}]*|" if quote else ""
        self._field = re.compile(f"({quoted}[^{delimiter}]*)({delimiter}|\\Z)", re.DOTALL)

    def record(self, record: bytes, line: int) -> bytes:
        """The fields in the other order; a record that has too many or too few stays as it is, and malformed."""
        text = record.decode()
        content = text.rstrip("\r\n")
        if self._quote and content.count(self._quote) % 2:
            return record
        fields = self._fields(content)
        if len(fields) == self._own:
            arranged = self._delimiter.join("" if at is None else fields[at] for at in self._places)
            return (arranged + text[len(content) :]).encode()
        if len(fields) == self._all:
            raise LandingError(
                f"{self._name}, line {line}: expected {self._own} fields, found {len(fields)}: under the columns of "
                "all files it would pass for another record; correct the line, or import the file by itself"
            )
        return record

    def _fields(self, content: str) -> list[str]:
        """The fields of a CSV record as they are written, quotes included."""
        fields, at = [], 0
        while found := self._field.match(content, at):
            fields.append(found[1])
            if not found[2]:
                break
            at = found.end()
        return fields


class ParquetDays:
    """Days of Parquet files: every column, in its own type; the columns of all files where they differ."""

    def __init__(self, files: list[LandedFile], parts: Path) -> None:
        self._parts, self._number = parts, 0
        self._schema, self._int96 = _all_fields(files)

    def split(self, file: LandedFile, index: Path, found: Survey, progress: Progress) -> None:
        """Adds the file's rows to the parts of their days."""
        days, row = DaysOfLines(index), 1
        held: list[pa.RecordBatch] = []
        for batch in _parquet(file).iter_batches(BATCH_ROWS):
            held.append(batch)
            if sum(it.nbytes for it in held) > HELD_BYTES:
                row = self._add(held, days, row, found)
                held = []
                progress.show(f"{file.name}: {row - 1:,} of {file.records:,} rows split into days")
        self._add(held, days, row, found)

    def write(self, day: int, target: Path) -> None:
        """The day's file."""
        with pq.ParquetWriter(
            target, self._schema, compression="zstd", use_deprecated_int96_timestamps=self._int96
        ) as writer:
            for part in sorted((self._parts / str(day)).iterdir()):
                with pa.OSFile(str(part)) as file, pa.ipc.open_stream(file) as rows:
                    writer.write_table(rows.read_all())

    def _add(self, held: list[pa.RecordBatch], days: DaysOfLines, row: int, found: Survey) -> int:
        if not held:
            return row
        rows = pa.Table.from_batches(held)
        missing = [field for field in self._schema if field.name not in rows.schema.names]
        for field_ in missing:
            rows = rows.append_column(field_, pa.nulls(len(rows), field_.type))
        rows = rows.select(self._schema.names).cast(self._schema)
        of, _ = days.of(row, len(rows))
        placed = found.placed(of)
        order = np.argsort(placed, kind="stable")
        rows = rows.take(pa.array(order))
        for day, start, end in _runs(placed[order]):
            folder = self._parts / str(day)
            folder.mkdir(exist_ok=True)
            self._number += 1
            with (
                pa.OSFile(str(folder / f"{self._number:09}"), "wb") as file,
                pa.ipc.new_stream(file, self._schema) as out,
            ):
                out.write_table(rows.slice(start, end - start))
        return row + len(rows)


def days_writer(delivery: Delivery, files: list[LandedFile], parts: Path) -> TextDays | ParquetDays:
    """What copies files of the delivery's format."""
    if delivery.format == "orc":
        raise LandingError(f"{files[0].name}: expected text or Parquet, found ORC, which is not imported; convert it")
    return ParquetDays(files, parts) if delivery.format == "parquet" else TextDays(delivery, files, parts)


def _runs(days: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Day, start and end of each run of equal days."""
    bounds = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
    for start, end in pairwise(bounds):
        if end > start:
            yield int(days[start]), start, end


def _all_columns(headers: list[tuple[str, ...]]) -> list[tuple[str, int]]:
    """The columns of the first header and what others have besides, each with which one of its name it is."""
    columns: dict[tuple[str, int], None] = {}
    for header in headers:
        seen: Counter[str] = Counter()
        for name in header:
            columns.setdefault((name, seen[name]))
            seen[name] += 1
    return list(columns)


def _header(columns: list[tuple[str, int]], drop: Drop) -> bytes:
    line = io.StringIO()
    quoting = {"quotechar": drop.quote} if drop.quote else {"quoting": csv.QUOTE_NONE, "escapechar": "\\"}
    csv.writer(line, delimiter=drop.delimiter, lineterminator="\n", **quoting).writerow([name for name, _ in columns])
    return line.getvalue().encode()


def _parquet(file: LandedFile) -> pq.ParquetFile:
    """INT96 in microseconds, as Spark reads it: nanoseconds overflow outside 1677 to 2262."""
    return pq.ParquetFile(file.path, coerce_int96_timestamp_unit="us")


def _all_fields(files: list[LandedFile]) -> tuple[pa.Schema, bool]:
    """The columns of all files, and whether times are written as INT96, as they are there.

    Raises LandingError for a column of two types, and for local times next to INT96.
    """
    fields: dict[str, tuple[pa.Field, LandedFile]] = {}
    int96, local = set(), set()
    for file in files:
        opened = _parquet(file)
        for number in range(len(opened.schema)):
            column = opened.schema.column(number)
            if column.physical_type == "INT96":
                int96.add(column.path)
            elif "Timestamp" in str(column.logical_type) and "isAdjustedToUTC=false" in str(column.logical_type):
                local.add(column.path)
        for found in opened.schema_arrow:
            known, other = fields.setdefault(found.name, (found.with_nullable(True), file))
            if known.type != found.type:
                raise LandingError(
                    f"{file.name}: {found.name}: expected {known.type} as in {other.name}, found {found.type}; "
                    "convert one of the files"
                )
    if int96 and local:
        raise LandingError(
            f"{files[0].name}: {min(int96)}: expected INT96 times without local times ({min(local)}) next to them; "
            "convert the INT96 columns"
        )
    return pa.schema([found for found, _ in fields.values()]), bool(int96)
