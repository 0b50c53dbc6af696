"""Made-up rows of `user_features`, as incompressible as real ones: random vectors and scores, items of a catalogue."""

import numpy as np
import pyarrow as pa

from pipeline.tables.columns import NEXT_ITEMS
from pipeline.tables.registry import USER_FEATURES

FEATURES = USER_FEATURES.schema
CHUNK = 5_000
ITEMS, WIDTH = 20_000, 64


def user(number: int) -> str:
    """Spread like a hash."""
    return f"{(number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"


def chunk(first: int, rows: int, random: np.random.Generator) -> pa.RecordBatch:
    """Users `first`, `first` + 1, … in the declared columns."""
    columns = [made(field, rows, random) for field in FEATURES]
    columns[FEATURES.names.index("user_id")] = pa.array(user(first + n) for n in range(rows))
    return pa.record_batch(columns, names=FEATURES.names)


def made(field: pa.Field, rows: int, random: np.random.Generator) -> pa.Array:
    kind = field.type
    if pa.types.is_list(kind):
        struct = pa.types.is_struct(kind.value_type)
        length = NEXT_ITEMS if field.name.startswith("next_") else 8 if struct else 2
        length = WIDTH if field.name == "embedding" else length
        flat = made(pa.field(field.name, kind.value_type), rows * length, random)
        return pa.ListArray.from_arrays(np.arange(0, rows * length + 1, length, "int32"), flat)
    if pa.types.is_struct(kind):
        parts = [made(part, rows, random) for part in kind]
        return pa.StructArray.from_arrays(parts, names=[part.name for part in kind])
    if pa.types.is_boolean(kind):
        return pa.array(random.random(rows) < 0.5)
    if pa.types.is_string(kind):
        number = random.integers(0, ITEMS if field.name == "item_id" else 50, rows)
        return pa.array([f"webshop:{it:08}" for it in number])
    if pa.types.is_integer(kind):
        return pa.array(random.integers(0, 100, rows)).cast(kind)
    return pa.array(random.normal(size=rows)).cast(kind)
