"""What it costs to read the users of a night share by share, as scoring does, against reading them once.

    python -m tests.bench shares [--users 100000 400000] [--share 25000] [--events 20]

Writes made-up histories in ranges of users in order, which `accumulate_history` does but for the order within a chunk
of 64 MB, and once more with users mixed, as they lay before; reads every share of both, and all rows once. Prints CPU
seconds and the ratios.
"""

import argparse
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import pyarrow.dataset as arrow_dataset

from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import DayFile
from pipeline.tables.registry import USER_HISTORY
from tests.bench.bench_profile import CHUNK, histories
from training.data.arrow import buckets
from training.scoring import bucket

FILES = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, nargs="+", default=[100_000, 400_000])
    parser.add_argument("--share", type=int, default=25_000, help="users read at once; 100,000 in scoring")
    parser.add_argument("--events", type=int, default=20)
    given = parser.parse_args()
    with patch.object(bucket, "SHARE_USERS", given.share):
        for users in given.users:
            shares = bucket.Bucket(0, 1).shares(users)
            with tempfile.TemporaryDirectory() as folder:
                ranges, mixed = write(Path(folder), users, given.events)
                once, before = (cpu_seconds(it, [bucket.Bucket(0, 1)]) for it in (ranges, mixed))
                by_share, by_share_before = (cpu_seconds(it, shares) for it in (ranges, mixed))
            print(
                f"{users} users, {len(shares)} shares: {by_share:.1f} CPU s, {by_share / once:.2f} x reading all once; "
                f"users mixed: {by_share_before:.1f}, {by_share_before / before:.2f} x",
                flush=True,
            )


def write(folder: Path, users: int, events: int) -> tuple[arrow_dataset.Dataset, arrow_dataset.Dataset]:
    """The same users twice: in FILES ranges in order, and as they come."""
    settings = Settings(home=folder / "home")
    settings.home.mkdir()
    schema = file_schema(settings, USER_HISTORY)
    mixed = DayFile(folder / "mixed", schema)
    for first in range(0, users, CHUNK):
        mixed.write(histories(first, min(CHUNK, users - first), events, 10_000))
    mixed.close()
    rows = arrow_dataset.dataset(mixed.path, schema=USER_HISTORY.schema)
    for number in range(FILES):
        part = rows.to_table(filter=bucket.in_bucket(number, FILES)).sort_by("user_id")
        file = DayFile(folder / "ranges", schema)
        for start in range(0, len(part), CHUNK):
            file.write(part.slice(start, CHUNK))
        file.close()
    assert (buckets(part["user_id"], FILES) == FILES - 1).all()
    return arrow_dataset.dataset(folder / "ranges", schema=USER_HISTORY.schema), rows


def cpu_seconds(history: arrow_dataset.Dataset, shares: list[bucket.Bucket]) -> float:
    """To read the rows of all the shares."""
    began, rows = time.process_time(), 0
    for share in shares:
        rows += sum(batch.num_rows for batch in bucket.batches(history, share, bucket.MOST_USERS))
    assert rows == history.count_rows()
    return time.process_time() - began


if __name__ == "__main__":
    main()
