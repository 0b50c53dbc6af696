"""Write records as landing files, one per day, in the format of a delivery."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from pipeline.runtime.errors import LandingError
from pipeline.sources.source import Drop
from spark_jobs.engine.writing import by_day
from spark_jobs.transforms.split_days import DAY

WRITTEN = "ds string, path string, rows long"


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


def write_landing(
    rows: DataFrame, delivery: Drop, landing: Path, header: tuple[str, ...]
) -> dict[str, int]:
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
            f"{taken[0]}: expected no file yet, found one (and {len(taken) - 1} more); remove what "
            "was imported before"
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
