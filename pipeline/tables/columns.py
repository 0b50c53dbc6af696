"""Columns, types and constants that several tables share."""

from pipeline.tables.schema import DOUBLE, FLOAT, INSTANT, INT, STRING, Column, Table, list_of

EVENT_TYPES = (
    "impression", "view", "search", "cart", "favorite", "purchase", "return", "review",
)  # fmt: skip
IMPRESSION = "impression"  # shown to the user, who did nothing: no activity
ITEMLESS_EVENT_TYPES = ("search",)
DAY = r"^\d{4}-\d{2}-\d{2}$"
USER = r"^[0-9a-f]{32}$"
NEXT_ITEMS = 50

DS = Column("ds", STRING, "the business day that the partition covers", True, pattern=DAY)
PLATFORM = Column("platform", STRING, "name of the source", True, pattern=r"^[a-z][a-z0-9_]*$")
USER_ID = Column("user_id", STRING, "pseudonym of a person or platform user", True, pattern=USER)
ACCOUNT_ID = Column("account_id", STRING, "pseudonym of an id on one platform", True, pattern=USER)
IDS = (USER_ID.name, ACCOUNT_ID.name)  # columns that name a person or an account
ITEM_ID = Column("item_id", STRING, "`<platform>:<raw item id>`", True)
HISTORY_EVENTS = list_of(
    item_id=STRING, event_type=STRING, event_time=INSTANT, arrival_ds=STRING,
    quantity=DOUBLE, price=DOUBLE, text=STRING,
)  # fmt: skip
DAILY_COUNTS = list_of(arrival_ds=STRING, platform=STRING, event_type=STRING, events=INT, quantity=DOUBLE, value=DOUBLE)
SCORED_ITEMS = list_of(item_id=STRING, score=FLOAT)
REASONS = list_of(own=FLOAT, alike=FLOAT, trend=FLOAT, text=FLOAT, model=FLOAT)
BECAUSE = list_of(item_id=STRING, because_item_id=STRING, effect=FLOAT)
PROPENSITY_REASONS = list_of(head=STRING, kind=STRING, name=STRING, effect=FLOAT)


def id_columns(table: Table) -> tuple[str, ...]:
    """The columns of a table that name a person or an account."""
    return tuple(name for name in IDS if name in table.schema.names)
