"""Every table, declared once: writers, readers, expectations and the docs come from here."""

from pipeline.runtime.errors import UsageError
from pipeline.tables.columns import (
    DAILY_COUNTS,
    DAY,
    EVENT_TYPES,
    HISTORY_EVENTS,
    IMPRESSION,
    ITEMLESS_EVENT_TYPES,
    NEXT_ITEMS,
    USER,
)
from pipeline.tables.events import ACCOUNTING, EVENTS, QUARANTINE, RAW_EVENTS, SESSIONS
from pipeline.tables.features import USER_FEATURES
from pipeline.tables.interests import INTEREST_TABLES
from pipeline.tables.interventions import INTERVENTION_TABLES
from pipeline.tables.intraday import HOURLY_TABLES, INTRADAY_TABLES
from pipeline.tables.landed import LANDED_FILES
from pipeline.tables.policies import POLICY_TABLES
from pipeline.tables.schema import Table
from pipeline.tables.state import IDENTITIES, ITEM_EMBEDDINGS, ITEMS, TRAINING_EXAMPLES, USER_HISTORY
from pipeline.tables.uplift import UPLIFT_TABLES

__all__ = [
    "ACCOUNTING",
    "DAILY_COUNTS",
    "DAY",
    "EVENTS",
    "EVENT_TYPES",
    "HISTORY_EVENTS",
    "IDENTITIES",
    "IMPRESSION",
    "ITEMLESS_EVENT_TYPES",
    "ITEMS",
    "ITEM_EMBEDDINGS",
    "LANDED_FILES",
    "NEXT_ITEMS",
    "QUARANTINE",
    "RAW_EVENTS",
    "SESSIONS",
    "TABLES",
    "TRAINING_EXAMPLES",
    "USER",
    "USER_FEATURES",
    "USER_HISTORY",
    "table_named",
]

TABLES = {
    table.name: table
    for table in (
        RAW_EVENTS,
        LANDED_FILES,
        IDENTITIES,
        EVENTS,
        QUARANTINE,
        ACCOUNTING,
        SESSIONS,
        ITEMS,
        ITEM_EMBEDDINGS,
        USER_HISTORY,
        TRAINING_EXAMPLES,
        *INTEREST_TABLES,
        USER_FEATURES,
        *POLICY_TABLES,
        *INTRADAY_TABLES,
        *INTERVENTION_TABLES,
        *UPLIFT_TABLES,
        *HOURLY_TABLES,
    )
}


def table_named(name: str) -> Table:
    """The declared table. Raises UsageError when there is none of that name."""
    if name not in TABLES:
        raise UsageError(f"table: expected one of {', '.join(TABLES)}, found {name!r}")
    return TABLES[name]
