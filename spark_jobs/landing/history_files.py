"""Write records as landing files, one per day, in the format of a delivery."""

import gzip
import re
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.runtime.errors import LandingError
from pipeline.sources.landed_file import LandedFile
from pipeline.sources.source import Drop, Source
from spark_jobs.engine.writing import by_day
from spark_jobs.landing.map_source import event_time
from spark_jobs.landing.read import read_landing

WRITTEN = "ds string, path string, rows long"

DAY = "_ds"


class _DayWriter(Protocol):
    def write(self, rows: pa.Table) -> None: ...
    def close(self) -> None: ...


class _Lines:
    """A text file, gzipped when its name says so; the same rows give the same bytes."""

    def __init__(self, path: Path, delivery: Drop, header: tuple[str, ...]) -> None:
        self._file = path.open("wb")
        gzipped = delivery.path.endswith(".gz")
        self._out = gzip.GzipFile("", "wb", 6, self._file, mtime=0) if gzipped else self._file
        self._encoding = delivery.encoding
        if header:
            self._line(",".join(header))

    def write(self, rows: pa.Table) -> None:
        for text in rows["text"].to_pylist():
            self._line(text)

    def close(self) -> None:
        self._out.close()
        self._file.close()

    def _line(self, text: str) -> None:
        self._out.write((text + "\n").encode(self._encoding))


class _Parquet:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    def write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows)

    def close(self) -> None:
        self._writer.close()


def write_landing(rows: DataFrame, delivery: Drop, landing: Path, header: tuple[str, ...]) -> dict[str, int]:
    """Writes rows, ordered by `_ds`, to `landing`; returns rows per day.

    Files appear under their names when all are whole. Raises LandingError when one exists already.
    """

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from _write(batches, delivery, landing, header)

    written = rows.mapInArrow(write, WRITTEN).collect()
    taken = sorted(row.path for row in written if Path(row.path).exists())
    if taken:
        for row in written:
            _unfinished(Path(row.path)).unlink()
        raise LandingError(
            f"{taken[0]}: expected no file yet, found one (and {len(taken) - 1} more); remove what was imported before"
        )
    for row in written:
        _unfinished(Path(row.path)).replace(row.path)
    return {row.ds: row.rows for row in written}


def _write(
    batches: Iterator[pa.RecordBatch], delivery: Drop, landing: Path, header: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    ds, path, count = "", landing, 0
    writer: _DayWriter | None = None
    for batch in batches:
        for day, found in by_day(batch, DAY):
            content = found.drop_columns([DAY])
            if day != ds or writer is None:
                if writer is not None:
                    writer.close()
                    yield _written(ds, path, count)
                ds, path, count = day, _target(delivery, landing, day), 0
                writer = _open(path, delivery, header, content.schema)
            writer.write(content)
            count += len(content)
    if writer is not None:
        writer.close()
        yield _written(ds, path, count)


def _open(path: Path, delivery: Drop, header: tuple[str, ...], schema: pa.Schema) -> _DayWriter:
    path.parent.mkdir(parents=True, exist_ok=True)
    if delivery.format == "parquet":
        return _Parquet(_unfinished(path), schema)
    return _Lines(_unfinished(path), delivery, header)


def _target(delivery: Drop, landing: Path, ds: str) -> Path:
    """The day's file; a glob in the path becomes the word `import`."""
    return landing / re.sub(r"[*?]+", "import", delivery.path.replace("{ds}", ds))


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.unfinished")


def _written(ds: str, path: Path, rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"ds": [ds], "path": [str(path)], "rows": [rows]})


def split_days(spark: SparkSession, source: Source, files: list[LandedFile], max_record_bytes: int) -> DataFrame:
    """The files' records as they are (`text`, or Parquet's columns) with their local day as `_ds`.

    A record without a time lands on the first day and one beyond the delivery's bounds on the nearest: there it is
    quarantined with a reason, instead of lost here. Raises LandingError for lines that hold no text, which could not be
    written again.
    """
    frames = read_landing(spark, source.delivery, files, max_record_bytes)
    rows = reduce(DataFrame.unionByName, [_timed(frame, source) for frame in frames]).persist()
    if source.delivery.format != "parquet":
        _check_readable(rows)
    bounds = rows.agg(F.min(DAY), F.max(DAY)).first()
    first = source.delivery.first_day or (bounds and bounds[0])
    last = source.delivery.last_day or (bounds and bounds[1])
    if first is None:
        raise LandingError(f"{files[0].name}: no record has an event_time; see `source check {source.file}`")
    day = F.least(F.greatest(F.coalesce(DAY, F.lit(first)), F.lit(first)), F.lit(last))
    ordered = rows.withColumn(DAY, day).repartition(DAY)
    kept = ordered.sortWithinPartitions(DAY, "_landed.source_file", "_landed.line")
    if source.delivery.format == "parquet":
        return kept.drop("_landed", "_unknown")
    return kept.select(DAY, "_landed.text")


def _timed(rows: DataFrame, source: Source) -> DataFrame:
    """Rows of the source with their local day, null where there is no time."""
    local = F.from_utc_timestamp(event_time(rows, source), source.timezone)
    return rows.withColumn(DAY, F.to_date(local).cast("string"))


def _check_readable(rows: DataFrame) -> None:
    unreadable = rows.where("_landed.text IS NULL")
    first = unreadable.select("_landed.*").orderBy("source_file", "line").first()
    if first is not None:
        raise LandingError(
            f"{first.source_file}: line {first.line} cannot be imported ({first.problem}), nor can "
            f"{unreadable.count() - 1} others; correct the file"
        )
