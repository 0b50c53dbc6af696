"""Buckets of users: equal ranges of their ids, told alike by a look at each id and by a filter of files."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.arrow import HEADS, buckets, in_bucket, in_sample
from training.data.scope import Scope
from training.scoring.bucket import Bucket

USERS = sorted(hashlib.sha256(str(n).encode()).hexdigest()[:32] for n in range(2_000))
EDGES = ["0" * 32, "0001" + "0" * 28, "7fff" + "f" * 28, "8000" + "0" * 28, "f" * 32]


@given(st.integers(1, HEADS), st.lists(st.text("0123456789abcdef", min_size=32, max_size=32), max_size=20))
def test_a_filter_finds_what_a_look_at_each_finds(number: int, drawn: list[str]) -> None:
    users = pa.table({"user_id": pa.array([*EDGES, *drawn])})
    told = buckets(users["user_id"], number)
    assert told.min() >= 0 and told.max() < number
    for bucket in np.unique(told):
        found = users.filter(in_bucket(int(bucket), number))["user_id"].to_pylist()
        assert found == users.filter(pa.array(told == bucket))["user_id"].to_pylist()


def test_buckets_are_of_one_size() -> None:
    counts = np.bincount(buckets(pa.array([f"{head:04x}" + "0" * 28 for head in range(HEADS)]), 7))
    assert len(counts) == 7
    assert counts.max() - counts.min() <= 1


def test_a_sample_leaves_out_whom_evaluations_judge() -> None:
    """Those are the users with the smallest ids."""
    users = pa.table({"user_id": pa.array(USERS)})
    sample = users.filter(in_sample(4))["user_id"].to_pylist()
    assert sample == USERS[-len(sample) :]
    assert 0.2 < len(sample) / len(USERS) < 0.3
    assert users.filter(in_sample(1)).num_rows == len(USERS)


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_a_scope_and_a_sample_have_users_in_common(share: float) -> None:
    """As many as the smaller of the two."""
    rows = arrow_dataset.dataset(pa.table({"user_id": pa.array(USERS)}))
    scoped = Scope(users=share).examples(rows)
    assert scoped.count_rows() == pytest.approx(share * len(USERS), rel=0.2)
    both = scoped.count_rows(filter=in_sample(4))
    assert both == min(scoped.count_rows(), rows.count_rows(filter=in_sample(4)))


def test_each_row_group_is_read_once(tmp_path: Path) -> None:
    """But for those at an edge between two shares."""
    table = pa.table({"user_id": USERS})
    for start in range(0, len(USERS), 500):
        pq.write_table(table.slice(start, 500), tmp_path / f"{start}.parquet", row_group_size=50)
    rows, shares = arrow_dataset.dataset(tmp_path), Bucket(0, 1).shares(1_000_000)
    assert len(shares) == 10
    read = [
        group.id for share in shares for file in rows.get_fragments() for group in file.subset(share.where()).row_groups
    ]
    groups = len(USERS) // 50
    assert groups <= len(read) <= groups + len(shares) - 1
