"""Every table, declared once: writers, readers, expectations and the docs come from here."""

import pyarrow as pa

from pipeline.errors import UsageError
from pipeline.table_schema import (
    BOOL,
    DOUBLE,
    FLOAT,
    INSTANT,
    INT,
    LONG,
    STRING,
    TEXTS,
    VECTOR,
    Column,
    Table,
    list_of,
)

EVENT_TYPES = (
    "impression", "view", "search", "cart", "favorite", "purchase", "return", "review",
)  # fmt: skip
ITEMLESS_EVENT_TYPES = ("search",)
DAY = r"^\d{4}-\d{2}-\d{2}$"
USER = r"^[0-9a-f]{32}$"
NEXT_ITEMS = 50

DS = Column("ds", STRING, "the business day that the partition covers", True, pattern=DAY)
PLATFORM = Column("platform", STRING, "name of the source", True, pattern=r"^[a-z][a-z0-9_]*$")
USER_ID = Column("user_id", STRING, "pseudonym of a person or platform user", True, pattern=USER)
ITEM_ID = Column("item_id", STRING, "`<platform>:<raw item id>`", True)
HISTORY_EVENTS = list_of(
    item_id=STRING, event_type=STRING, event_time=INSTANT, arrival_ds=STRING,
    quantity=DOUBLE, price=DOUBLE, text=STRING,
)  # fmt: skip
DAILY_COUNTS = list_of(
    arrival_ds=STRING, platform=STRING, event_type=STRING, events=INT, quantity=DOUBLE, value=DOUBLE
)
SCORED_ITEMS = list_of(item_id=STRING, score=FLOAT)


def _what_happened(required: bool) -> tuple[Column, ...]:
    """The canonical columns of an event; raw events may still lack the required ones."""
    return (
        Column("event_id", STRING, "hash of the event's content", required, pattern=USER),
        Column("user_id", STRING, "pseudonym of the user", required, pattern=USER),
        Column("item_id", STRING, "`<platform>:<raw item id>`, null for a search"),
        Column("event_type", STRING, "what the user did", required, values=EVENT_TYPES),
        Column("event_time", INSTANT, "when it happened", required, "UTC"),
        Column("arrival_ds", STRING, "day on which the row landed", True, pattern=DAY),
        Column("quantity", DOUBLE, "pieces, positive also for returns", unit="pieces"),
        Column("price", DOUBLE, "unit price", unit="platform currency"),
        Column("query", STRING, "search text"),
        Column("text", STRING, "review text"),
        Column("rating", DOUBLE, "rating given", unit="stars"),
        Column("campaign_id", STRING, "advertising campaign of an impression"),
        Column("propensity", DOUBLE, "logging policy's probability of the impression"),
        Column("attributes", pa.map_(STRING, STRING), "further fields of the source"),
    )


RAW_EVENTS = Table(
    "raw_events",
    "every landed row, mapped to canonical columns and pseudonymised; immutable",
    (
        DS,
        PLATFORM,
        *_what_happened(required=False),
        Column("item_title", STRING, "title carried by the event row"),
        Column("item_category", STRING, "category carried by the event row"),
        Column("item_brand", STRING, "brand carried by the event row"),
        Column("item_image_path", STRING, "image carried by the event row"),
        Column("reject_reason", STRING, "why the row maps to no valid event; null when it does"),
        Column("source_file", STRING, "landing file, relative to landing/", True),
        Column("record", STRING, "what was understood of a rejected row, JSON without the user"),
    ),
    key=(),
)

EVENTS = Table(
    "events",
    "valid events, each once, owned by their arrival day",
    (DS, PLATFORM, *_what_happened(required=True)),
    key=("event_id",),
)

QUARANTINE = Table(
    "quarantine",
    "landed rows that are no valid event, with the reason",
    (
        DS,
        PLATFORM,
        Column("reason", STRING, "why", True),
        Column("source_file", STRING, "landing file, relative to landing/", True),
        Column("user_id", STRING, "pseudonym, where the row had a user", pattern=USER),
        Column("record", STRING, "what was understood of the row, as JSON, without the user"),
    ),
    key=(),
)

ACCOUNTING = Table(
    "accounting",
    "rows landed = events + duplicates + quarantined, per platform and day",
    (
        DS,
        PLATFORM,
        Column("rows_landed", LONG, "rows in the landing files", True, "rows", 0),
        Column("events", LONG, "rows that became events", True, "rows", 0),
        Column("duplicates", LONG, "exact and near duplicates", True, "rows", 0),
        Column("quarantined", LONG, "rows in quarantine", True, "rows", 0),
        Column("quarantine_reasons", list_of(reason=STRING, rows=LONG), "one per reason", True),
    ),
    key=("platform",),
)

SESSIONS = Table(
    "sessions",
    "unbroken activity of a user on a platform, owned by the day on which it closes",
    (
        DS,
        PLATFORM,
        Column("session_id", STRING, "hash of user, platform, start and lateness", True),
        USER_ID,
        Column("started_at", INSTANT, "first event", True, "UTC"),
        Column("ended_at", INSTANT, "last event", True, "UTC"),
        Column("duration_seconds", DOUBLE, "last minus first event", True, "s", 0, 86_400),
        Column("events", INT, "events in the session", True, "events", 1),
        Column("views", INT, "views", True, "events", 0),
        Column("searches", INT, "searches", True, "events", 0),
        Column("carts", INT, "carts", True, "events", 0),
        Column("purchases", INT, "purchases", True, "events", 0),
        Column("returns", INT, "returns", True, "events", 0),
        Column("items", INT, "distinct items", True, "items", 0),
        Column("value", DOUBLE, "sum of quantity x price of purchases", True, "currency"),
        Column("item_ids", TEXTS, "items in order of time, without immediate repeats", True),
        Column("is_late", BOOL, "made of events that arrived after their own day", True),
    ),
    key=("session_id",),
)

ITEMS = Table(
    "items",
    "every item known by `ds`, from catalogue drops and event rows",
    (
        DS,
        ITEM_ID,
        PLATFORM,
        Column("title", STRING, "title; null where no source tells one"),
        Column("category", STRING, "category of the platform"),
        Column("brand", STRING, "brand"),
        Column("price", DOUBLE, "last known unit price", unit="platform currency"),
        Column("image_path", STRING, "image, relative to landing/"),
        Column("first_ds", STRING, "day on which the item was first known", True, pattern=DAY),
        Column("updated_ds", STRING, "day of the last change", True, pattern=DAY),
    ),
    key=("item_id",),
    snapshot=True,
)

ITEM_EMBEDDINGS = Table(
    "item_embeddings",
    "text vector of every item known by `ds`",
    (
        DS,
        ITEM_ID,
        Column("encoder", STRING, "text encoder and its version", True),
        Column("text_hash", STRING, "hash of the encoded text", True),
        Column("embedding", VECTOR, "unit-length text embedding", True),
    ),
    key=("item_id",),
    snapshot=True,
)

USER_HISTORY = Table(
    "user_history",
    "state of every user active in the last `active_days`, as known at the end of `ds`",
    (
        DS,
        USER_ID,
        Column("platforms", TEXTS, "platforms used, sorted", True),
        Column("first_ds", STRING, "first arrival day within the window", True, pattern=DAY),
        Column("last_ds", STRING, "last arrival day", True, pattern=DAY),
        Column("events", HISTORY_EVENTS, "newest `history_events` events, oldest first", True),
        Column("daily", DAILY_COUNTS, "counts per arrival day, platform and type, sorted", True),
    ),
    key=("user_id",),
    snapshot=True,
)

TRAINING_EXAMPLES = Table(
    "training_examples",
    "users as known at a cut-off, with what they did in the 28 days after it",
    (
        DS,
        Column("cutoff_ds", STRING, "last day that the history may contain", True, pattern=DAY),
        Column("fold", STRING, "split by time", True, values=("train", "valid", "test")),
        USER_ID,
        Column("events", HISTORY_EVENTS, "newest events up to the cut-off, oldest first", True),
        Column("daily", DAILY_COUNTS, "daily counts up to the cut-off", True),
        Column("future", HISTORY_EVENTS, "events of (cut-off, cut-off + 28 days]", True),
        Column("click_7d", BOOL, "a view within 7 days", True),
        Column("cart_7d", BOOL, "a cart within 7 days", True),
        Column("purchase_7d", BOOL, "a purchase within 7 days", True),
        Column("purchase_28d", BOOL, "a purchase within 28 days", True),
        Column("return_28d", BOOL, "a return within 28 days", True),
        Column("churn_28d", BOOL, "no event within 28 days", True),
    ),
    key=("user_id", "cutoff_ds"),
)


def _probability(name: str, meaning: str) -> Column:
    return Column(name, FLOAT, meaning, True, "probability", 0, 1)


def _count(name: str, meaning: str) -> Column:
    return Column(name, INT, meaning, True, "events", 0)


USER_FEATURES = Table(
    "user_features",
    "what recommenders and ad targeting read: one row per user active in the last `active_days`",
    (
        DS,
        USER_ID,
        Column("model_version", STRING, "registry version of the champion that scored", True),
        Column("platforms", TEXTS, "platforms used, sorted", True),
        Column("first_ds", STRING, "first active day within the window", True, pattern=DAY),
        Column("last_ds", STRING, "last active day", True, pattern=DAY),
        Column("recency_days", INT, "days since the last active day", True, "days", 0),
        Column("active_days_28d", INT, "active days in 28 days", True, "days", 0, 28),
        _count("events_7d", "events in 7 days"),
        _count("events_28d", "events in 28 days"),
        _count("views_28d", "views in 28 days"),
        _count("carts_28d", "carts in 28 days"),
        _count("purchases_28d", "purchase events in 28 days"),
        _count("returns_28d", "return events in 28 days"),
        _count("events_365d", "events in 365 days"),
        _count("purchases_365d", "purchase events in 365 days"),
        Column("spend_28d", DOUBLE, "purchase value in 28 days", True, "currency"),
        Column("spend_365d", DOUBLE, "purchase value in 365 days", True, "currency"),
        Column("is_cold_start", BOOL, "fewer than 3 events with an item the model can read", True),
        Column("embedding", VECTOR, "user vector; comparable within one model version", True),
        Column("next_items", SCORED_ITEMS, "best next items", True, length=NEXT_ITEMS),
        Column("next_new_items", SCORED_ITEMS, "those new to the user", True, length=NEXT_ITEMS),
        _probability("p_click_7d", "a view within 7 days"),
        _probability("p_cart_7d", "a cart within 7 days"),
        _probability("p_purchase_7d", "a purchase within 7 days"),
        _probability("p_purchase_28d", "a purchase within 28 days"),
        _probability("p_return_28d", "a return within 28 days"),
        _probability("p_churn_28d", "no event within 28 days"),
    ),
    key=("user_id",),
    snapshot=True,
)

TABLES = {
    table.name: table
    for table in (
        RAW_EVENTS,
        EVENTS,
        QUARANTINE,
        ACCOUNTING,
        SESSIONS,
        ITEMS,
        ITEM_EMBEDDINGS,
        USER_HISTORY,
        TRAINING_EXAMPLES,
        USER_FEATURES,
    )
}


def table_named(name: str) -> Table:
    """The declared table. Raises UsageError when there is none of that name."""
    if name not in TABLES:
        raise UsageError(f"table: expected one of {', '.join(TABLES)}, found {name!r}")
    return TABLES[name]
