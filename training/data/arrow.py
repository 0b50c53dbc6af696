"""Arrow columns as numpy arrays, without a Python object per row."""

from datetime import date
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Column: TypeAlias = pa.Array | pa.ChunkedArray
HEADS = 16**4  # first four hex digits of a user


def day_number(ds: str) -> int:
    """Days since 1970-01-01."""
    return date.fromisoformat(ds).toordinal() - date(1970, 1, 1).toordinal()


def day_numbers(column: Column) -> np.ndarray:
    """Days since 1970 of a column of `YYYY-MM-DD`; only distinct days are parsed."""
    encoded = plain(column).dictionary_encode()
    numbers = np.array([day_number(ds) for ds in encoded.dictionary.to_pylist()], dtype=np.int32)
    return numbers[encoded.indices.to_numpy()] if len(numbers) else np.zeros(0, dtype=np.int32)


def codes(column: Column, values: tuple[str, ...]) -> np.ndarray:
    """Position of each value in `values`, -1 for null and unknown ones."""
    found = pc.index_in(plain(column), value_set=pa.array(values, pa.string()))
    return pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int32)


def floats(column: Column) -> np.ndarray:
    """float64, with nulls and NaN as 0."""
    values = pc.fill_null(plain(column), 0.0).to_numpy(zero_copy_only=False).astype(np.float64)
    return np.nan_to_num(values)


def vectors(column: Column) -> np.ndarray:
    """[rows, width] float32 of a list column whose lists all have the same length."""
    lists = plain(column)
    return np.array(lists.flatten()).reshape(len(lists), -1)


def buckets(user_ids: Column, number: int) -> np.ndarray:
    """The bucket of each user: `number` equal ranges of its first four hex digits."""
    heads = pc.utf8_slice_codeunits(plain(user_ids), 0, 4).to_pylist()
    return np.array([int(head, 16) for head in heads], dtype=np.int64) * number // HEADS


def in_bucket(bucket: int, number: int) -> pc.Expression:
    """Whether a row's user is in the bucket; of files in order of their users, only its row groups are read."""
    user = pc.field("user_id")
    first, end = (-(-edge * HEADS // number) for edge in (bucket, bucket + 1))
    above = user >= f"{first:04x}"
    return above & (user < f"{end:04x}") if end < HEADS else above


def in_sample(number: int) -> pc.Expression:
    """Whether a row's user is in a sample, one of `number` equal shares: the one whose ids are largest.

    Users who are judged are those with the smallest ids: where there are more than both together, none is in both.
    """
    return in_bucket(number - 1, number)


def lengths(column: Column) -> np.ndarray:
    """Length of each list, 0 for null."""
    return pc.fill_null(pc.list_value_length(plain(column)), 0).to_numpy(zero_copy_only=False)


def kept(lists: pa.ListArray, chosen: np.ndarray) -> pa.ListArray:
    """The lists with only the `chosen` elements, [elements of all lists] bool."""
    ends = np.concatenate([[0], np.cumsum(lengths(lists))])
    number = np.concatenate([[0], np.cumsum(chosen)])
    offsets = pa.array(number[ends], pa.int32())
    return pa.ListArray.from_arrays(offsets, lists.flatten().filter(pa.array(chosen)))


def plain(column: Column) -> pa.Array:
    """The column as one array."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
