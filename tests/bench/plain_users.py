"""Made-up rows of `user_features` where only the number of users matters."""

import numpy as np
import pyarrow as pa

from pipeline.tables.registry import USER_FEATURES


def users_of(users: int, ds: str, rng: np.random.Generator) -> pa.Table:
    """A night of so many users: empty lists, random flags, three segments."""
    columns = {}
    for field in USER_FEATURES.schema:
        if pa.types.is_list(field.type):
            offsets = pa.array(np.zeros(users + 1, np.int32))
            values = pa.array([], field.type.value_type)
            columns[field.name] = pa.ListArray.from_arrays(offsets, values, type=field.type)
        elif pa.types.is_string(field.type):
            columns[field.name] = pa.array(np.full(users, "x"))
        else:
            columns[field.name] = pa.array(rng.integers(0, 2, users)).cast(field.type)
    columns["segment"] = pa.array(["new", "regular", "fading"]).take(pa.array(np.arange(users) % 3))
    columns |= {"ds": pa.repeat(ds, users), "user_id": pa.array(ids(np.arange(users)))}
    return pa.table(columns, schema=USER_FEATURES.schema)


def ids(numbers: np.ndarray) -> list[str]:
    """Spread like hashes."""
    return [f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}" for number in numbers.tolist()]
