"""The local day of each record of a history file, found by Spark and kept next to the file's lines.

Only the place and the day of a record pass through Spark: the records themselves are copied as they are by
`history_files`, so nothing of them can change.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.runtime.errors import LandingError
from pipeline.sources.landed_file import LandedFile
from pipeline.sources.source import LANDED, TYPED_FORMATS, Source
from spark_jobs.landing.map_source import event_time
from spark_jobs.landing.nested import with_first_element
from spark_jobs.landing.read import read_landing

NO_RECORD, NO_TIME = -(2**31), 2**31 - 1  # instead of a day since 1970
BATCH = 1 << 20


def index_days(spark: SparkSession, source: Source, file: LandedFile, max_record_bytes: int, folder: Path) -> None:
    """Writes one row per record, ordered by `line` (or row, from 1): its `day` since 1970, local to the platform.

    Nothing is done where the index is there. Raises LandingError for lines that hold no text.
    """
    if (folder / "_SUCCESS").exists():
        return
    [landed] = read_landing(spark, source.delivery, [file], max_record_bytes, keep_text=True)
    rows = with_first_element(landed, source)
    local = F.to_date(F.from_utc_timestamp(event_time(rows, source), source.timezone))
    unreadable = F.when(F.col(f"`{LANDED}`.text").isNull(), F.col(f"`{LANDED}`.problem"))
    rows.select(
        F.col(f"`{LANDED}`.line").alias("line"),
        F.coalesce(F.datediff(local, F.lit("1970-01-01").cast("date")), F.lit(NO_TIME)).alias("day"),
        (F.lit(None).cast("string") if source.delivery.format in TYPED_FORMATS else unreadable).alias("problem"),
    ).repartition(1).sortWithinPartitions("line").write.mode("overwrite").parquet(str(folder))


def index_batches(folder: Path) -> Iterator[pa.RecordBatch]:
    """The index of a file, in order."""
    for part in sorted(folder.glob("part-*.parquet")):
        yield from pq.ParquetFile(part).iter_batches(BATCH)


def check_readable(file: LandedFile, folder: Path) -> None:
    """Raises LandingError naming the first line that holds no text: it could not be read again."""
    first, count = None, 0
    for batch in index_batches(folder):
        bad = batch.filter(batch["problem"].is_valid())
        first = first or (bad.slice(0, 1).to_pylist() or [None])[0]
        count += len(bad)
    if first is not None:
        raise LandingError(
            f"{file.name}: line {first['line']} cannot be imported ({first['problem']}), nor can {count - 1} others; "
            "correct the file"
        )


class DaysOfLines:
    """The day of each line of a file, asked for from top to bottom in bounded memory.

    A line that begins no record (the second of a quoted text, a blank one) has the day of the record above it.
    """

    def __init__(self, folder: Path) -> None:
        self._batches = index_batches(folder)
        self._lines, self._days = np.empty(0, np.int64), np.empty(0, np.int32)
        self._above = NO_RECORD

    def of(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """[count] the day of the lines from `first` on, and whether a record begins there."""
        while not len(self._lines) or self._lines[-1] < first + count:
            batch = next(self._batches, None)
            if batch is None:
                break
            self._lines = np.concatenate([self._lines, batch["line"].to_numpy()])
            self._days = np.concatenate([self._days, batch["day"].to_numpy()])
        lines = np.arange(first, first + count)
        at = np.searchsorted(self._lines, lines, side="right") - 1
        if len(self._lines):
            days = np.where(at >= 0, self._days[at], np.int32(self._above))
            begins = (at >= 0) & (self._lines[at] == lines)
        else:
            days, begins = np.full(count, self._above, np.int32), np.zeros(count, bool)
        used = int(np.searchsorted(self._lines, first + count))
        if used:
            self._above = int(self._days[used - 1])
            self._lines, self._days = self._lines[used:], self._days[used:]
        return days, begins
