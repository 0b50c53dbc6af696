"""Chunks are cut only between keys, whatever the batches."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.engine.kernels import whole_groups

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
