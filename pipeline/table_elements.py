"""What the fields of list columns mean, by type: for the docs page and for Feast."""

import pyarrow as pa

from pipeline.tables.columns import BECAUSE, PROPENSITY_REASONS, REASONS, SCORED_ITEMS
from pipeline.tables.interests import DUE_AGAIN, SEARCH_INTENTS, TOPIC_SHARES

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


def elements(kind: pa.DataType) -> dict[str, str]:
    """Meaning of each field of a list of structs; empty for every other type.

    Raises KeyError for a list of structs that nobody explained.
    """
    if not is_struct_list(kind):
        return {}
    return ELEMENTS[kind]


def is_struct_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)
