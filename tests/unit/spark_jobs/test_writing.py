"""Writing days: how many files a task makes of the rows that it is handed."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spark_jobs.engine.writing import _write_partition

SCHEMA = pa.schema([("ds", pa.string()), ("number", pa.int64())])
# Two chunks of rows, each day by day: what a kernel hands out.
BATCHES = [
    pa.RecordBatch.from_pydict({"ds": ["d1", "d1", "d2"], "number": [1, 2, 3]}),
    pa.RecordBatch.from_pydict({"ds": ["d1", "d2"], "number": [4, 5]}),
]


@pytest.mark.parametrize(
    ("most_open", "files"),
    [(1, [("d1", 2), ("d1", 1), ("d2", 1), ("d2", 1)]), (2, [("d1", 3), ("d2", 2)])],
)
def test_days_share_files_as_far_as_they_may_stay_open(
    most_open: int, files: list[tuple[str, int]], tmp_path: Path
) -> None:
    written = pa.Table.from_batches(list(_write_partition(iter(BATCHES), tmp_path, SCHEMA, most_open)))
    made = written.to_pylist()
    assert sorted((file["ds"], file["rows"]) for file in made) == sorted(files)
    rows = [row for file in made for row in pq.read_table(file["path"]).to_pylist()]
    assert sorted(row["number"] for row in rows) == [1, 2, 3, 4, 5]
    assert all(Path(file["path"]).parent.name == file["ds"] for file in made)
