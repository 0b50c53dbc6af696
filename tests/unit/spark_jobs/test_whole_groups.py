"""Chunks are cut only between keys, whatever the batches; users are dealt out in ranges."""

import hashlib

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from spark_jobs.engine.kernels import map_groups, whole_groups

sizes = st.lists(st.integers(1, 5), max_size=12)


@settings(deadline=None)
@given(groups=sizes, batch_rows=st.integers(1, 7), chunk_bytes=st.integers(1, 200))
def test_chunks_hold_whole_groups_in_order(groups: list[int], batch_rows: int, chunk_bytes: int) -> None:
    keys = [f"{number:03d}" for number, size in enumerate(groups) for _ in range(size)]
    rows = pa.table({"key": pa.array(keys, pa.string()), "row": range(len(keys))})
    chunks = list(whole_groups(iter(rows.to_batches(batch_rows)), "key", chunk_bytes))
    assert [row for chunk in chunks for row in chunk["row"].to_pylist()] == list(range(len(keys)))
    seen = [key for chunk in chunks for key in set(chunk["key"].to_pylist())]
    assert len(seen) == len(set(seen))


def test_a_full_chunk_is_handed_on_before_the_end() -> None:
    rows = pa.table({"key": ["a", "a", "b", "c", "c"]})
    chunks = list(whole_groups(iter(rows.to_batches(2)), "key", 1))
    assert [chunk["key"].to_pylist() for chunk in chunks] == [["a", "a", "b"], ["c", "c"]]


@pytest.mark.spark
def test_users_are_dealt_out_in_ranges(spark: SparkSession) -> None:
    """Partitions follow one another, so a reader of some users needs few files; no row is lost."""
    users = sorted(hashlib.sha256(str(n).encode()).hexdigest()[:32] for n in range(300))
    schema = pa.schema([("user_id", pa.string())])
    rows = spark.createDataFrame([(user,) for user in users[::3] + users[1::3] + users[2::3]], "user_id string")
    parts = map_groups(rows, "user_id", lambda chunk: chunk, schema).rdd.glom().collect()
    assert len(parts) == 2
    assert [row.user_id for part in parts for row in part] == users
    assert all(row.user_id < "8" for row in parts[0]) and all(row.user_id >= "8" for row in parts[1])
