"""A column's type, range and null rule as text, for the docs, Feast and `tables`."""

import pyarrow as pa

from pipeline.tables.columns import BECAUSE, DAY, PROPENSITY_REASONS, REASONS, SCORED_ITEMS, USER
from pipeline.tables.interests import DUE_AGAIN, SEARCH_INTENTS, TOPIC, TOPIC_SHARES
from pipeline.tables.schema import Column

PATTERNS = {DAY: "YYYY-MM-DD", USER: "32 hex digits", TOPIC: "`t` and at least 4 digits"}

ELEMENTS: dict[pa.DataType, dict[str, str]] = {
    SCORED_ITEMS: {
        "item_id": "`<platform>:<raw item id>`",
        "score": "chance that the user's next item is this one, 0 to 1",
    },
    REASONS: {
        "own": "log-odds that it owes to the user's own repeats",
        "alike": "log-odds that it owes to users alike",
        "trend": "log-odds that it owes to the trend",
        "text": "log-odds that it owes to texts",
        "model": "log-odds that it owes to the transformer",
    },
    BECAUSE: {
        "item_id": "entry of the list",
        "because_item_id": "item of the user's own events",
        "effect": "log-odds that those events add to the entry",
    },
    PROPENSITY_REASONS: {
        "head": "which chance, for example `purchase_28d`",
        "kind": "`feature` or `event`",
        "name": "the feature with its window, or what happened and the day it landed",
        "effect": "log-odds that it adds to the chance",
    },
    TOPIC_SHARES: {
        "topic_id": "id of the topic in `topics`",
        "share": "share of the user's interests, 0 to 1",
    },
    DUE_AGAIN: {
        "topic_id": "id of the topic in `topics`",
        "item_id": "item of that kind that the user bought last",
        "due_ds": "day on which the next purchase is due",
        "cycle_days": "usual days between two purchases",
    },
    SEARCH_INTENTS: {
        "query": "what was searched",
        "topic_id": "topic that the query is nearest to",
        "weight": "decayed number of searches",
    },
}


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


def elements(kind: pa.DataType) -> dict[str, str]:
    """Meaning of each field of a list of structs; empty for every other type.

    Raises KeyError for a list of structs that nobody explained.
    """
    if not is_struct_list(kind):
        return {}
    return ELEMENTS[kind]


def is_struct_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)
