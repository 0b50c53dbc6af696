"""A column's type, range and null rule as text, for the docs, Feast and `tables`."""

import pyarrow as pa

from pipeline.table_elements import is_struct_list
from pipeline.tables.columns import DAY, USER
from pipeline.tables.interests import TOPIC
from pipeline.tables.schema import Column

PATTERNS = {DAY: "YYYY-MM-DD", USER: "32 hex digits", TOPIC: "`t` and at least 4 digits"}


def type_text(kind: pa.DataType) -> str:
    """The type in short: `list of (item_id string, score float)`."""
    if is_struct_list(kind):
        fields = ", ".join(f"{f.name} {type_text(f.type)}" for f in kind.value_type)
        return f"list of ({fields})"
    if pa.types.is_list(kind):
        return f"list of {type_text(kind.value_type)}"
    return "timestamp (UTC)" if pa.types.is_timestamp(kind) else str(kind)


def range_text(column: Column) -> str:
    """The values that the audit lets through; "any" where all of the type may be."""
    low, high = column.minimum, column.maximum
    texts = []
    if low is not None and high is not None:
        texts.append(f"{low} to {high}")
    elif low is not None:
        texts.append(f"at least {low}")
    elif high is not None:
        texts.append(f"at most {high}")
    if column.values:
        texts.append("one of " + ", ".join(column.values))
    if column.pattern:
        texts.append(PATTERNS.get(column.pattern, f"matches `{column.pattern}`"))
    if column.length is not None:
        texts.append(f"up to {column.length} entries")
    return "; ".join(texts) or "any"


def null_text(column: Column) -> str:
    """When the column is null: "never", or the declared rule."""
    return "never" if column.required else column.nulls or "where unknown"
