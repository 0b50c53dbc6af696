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
from pipeline.sources.landed_file import LandedFile, line_blocks
from pipeline.sources.source import Delivery, Drop, Source
from spark_jobs.landing.history_days import NO_RECORD, NO_TIME, DaysOfLines, index_batches

EARLIEST, LATEST = days_since_1970("1971-01-01"), days_since_1970("9998-12-31")  # 1970: a time that is 0, or none
HELD_BYTES = 64 << 20  # of Parquet rows, before they are sorted into days
BATCH_ROWS = 1 << 16
# A field of a CSV line with its quotes, as it is there (RFC 4180), and what ends it.
FIELD = re.compile(r'("(?:[^"]|"")*"[^,]*|[^,]*)(,|\Z)', re.DOTALL)


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
    unit = "row" if delivery.format == "parquet" else "line"
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
    """Days of files of lines. Lines, and what stands before the first record, stay as they are.

    Where the files' columns differ, each file's fields are put under the columns of all: still as they are written.
    """

    def __init__(self, delivery: Drop, files: list[LandedFile], parts: Path) -> None:
        self._delivery, self._parts = delivery, parts
        self._columns = _all_columns([file.header for file in files])
        self._head = b""

    def split(self, file: LandedFile, index: Path, found: Survey, progress: Progress) -> None:
        """Adds the file's records to the parts of their days."""
        days, line, head, has_begun = DaysOfLines(index), 1, b"", False
        own = _all_columns([file.header])
        arrange = None if own == self._columns else _Rearranged(file.name, own, self._columns, self._delivery.encoding)
        for block in line_blocks(Path(file.path), file.name):
            count = block.count(b"\n")
            of, begins = days.of(line, count)
            lines = _lines(block)
            is_record = of != NO_RECORD
            if not has_begun:
                has_begun = bool(is_record.any())
                before = int(is_record.argmax()) if has_begun else count
                head += b"".join(lines.slice(0, before).to_pylist())
            placed = found.placed(of[is_record])
            records = lines.filter(pa.array(is_record))
            if arrange:
                placed, records = arrange.records(placed, records, begins[is_record], line + int((~is_record).sum()))
            self._add(placed, records)
            line += count
            progress.show(f"{file.name}: {line - 1:,} lines split into days")
        if arrange:
            self._add(*arrange.rest(line))
        if not self._head and self._delivery.format == "csv":
            self._head = _header(self._columns, self._delivery.encoding) if arrange else head

    def write(self, day: int, target: Path) -> None:
        """The day's file, gzipped when its name says so; the same records give the same bytes."""
        with target.open("wb") as file:
            gzipped = self._delivery.path.endswith(".gz")
            out = gzip.GzipFile("", "wb", 6, file, mtime=0) if gzipped else file
            out.write(self._head)
            with (self._parts / str(day)).open("rb") as part:
                shutil.copyfileobj(part, out, 1 << 20)
            if gzipped:
                out.close()

    def _add(self, days: np.ndarray, records: pa.Array) -> None:
        order = np.argsort(days, kind="stable")
        records = records.take(pa.array(order))
        if not len(records):
            return
        offsets = np.frombuffer(records.buffers()[1], np.int32)[records.offset :]
        for day, start, end in _runs(days[order]):
            with (self._parts / str(day)).open("ab") as part:
                part.write(memoryview(records.buffers()[2])[offsets[start] : offsets[end]])


class _Rearranged:
    """Records of one file under the columns of all files."""

    def __init__(self, name: str, own: list[tuple[str, int]], columns: list[tuple[str, int]], encoding: str) -> None:
        self._name, self._encoding, self._own, self._all = name, encoding, len(own), len(columns)
        place = {column: at for at, column in enumerate(own)}
        self._places = [place.get(column) for column in columns]
        self._pending: list[bytes] = []  # lines of a record that may go on
        self._day = 0

    def records(self, days: np.ndarray, lines: pa.Array, begins: np.ndarray, first: int) -> tuple[np.ndarray, pa.Array]:
        """Days and records that are whole; the last one is kept until it is known where it ends."""
        of: list[int] = []
        whole: list[bytes] = []
        for number, (day, line, is_first) in enumerate(zip(days.tolist(), lines.to_pylist(), begins, strict=True)):
            if is_first and self._pending:
                of.append(self._day)
                whole.append(self._record(b"".join(self._pending), first + number - len(self._pending)))
                self._pending = []
            self._pending.append(line)
            self._day = day
        return np.array(of, np.int64), pa.array(whole, pa.binary())

    def rest(self, end: int) -> tuple[np.ndarray, pa.Array]:
        """The last record of the file."""
        whole = [self._record(b"".join(self._pending), end - len(self._pending))] if self._pending else []
        return np.array([self._day] * len(whole), np.int64), pa.array(whole, pa.binary())

    def _record(self, record: bytes, line: int) -> bytes:
        """The fields in the other order; a record that has too many or too few stays as it is, and malformed."""
        text = record.decode(self._encoding)
        content = text.rstrip("\r\n")
        fields = _fields(content)
        if content.count('"') % 2:
            return record
        if len(fields) == self._own:
            arranged = ",".join("" if at is None else fields[at] for at in self._places)
            return (arranged + text[len(content) :]).encode(self._encoding)
        if len(fields) == self._all:
            raise LandingError(
                f"{self._name}, line {line}: expected {self._own} fields, found {len(fields)}: under the columns of "
                "all files it would pass for another record; correct the line, or import the file by itself"
            )
        return record


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
    return ParquetDays(files, parts) if delivery.format == "parquet" else TextDays(delivery, files, parts)


def _lines(block: bytes) -> pa.Array:
    """The lines of a block of whole ones, with their ends."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + 1
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    return pa.Array.from_buffers(pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(block)])


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


def _fields(content: str) -> list[str]:
    """The fields of a CSV record as they are written, quotes included."""
    fields, at = [], 0
    while found := FIELD.match(content, at):
        fields.append(found[1])
        if not found[2]:
            break
        at = found.end()
    return fields


def _header(columns: list[tuple[str, int]], encoding: str) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([name for name, _ in columns])
    return line.getvalue().encode(encoding)


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
