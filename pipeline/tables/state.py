"""The tables of state and of training: items, users, examples."""

from pipeline.runtime.settings import Settings
from pipeline.tables.columns import (
    ACCOUNT_ID,
    DAILY_COUNTS,
    DAY,
    DS,
    HISTORY_EVENTS,
    ITEM_ID,
    PLATFORM,
    USER,
    USER_ID,
)
from pipeline.tables.schema import (
    BOOL,
    DOUBLE,
    STRING,
    TEXTS,
    VECTOR,
    Column,
    Keep,
    RowRule,
    Table,
    is_sorted,
    none_of,
)


def _identities(settings: Settings) -> list[RowRule]:
    return [("since_ds <= ds", "since_ds <= ds", ("account_id", "since_ds"))]


IDENTITIES = Table(
    "identities",
    "which person each account belongs to, and from which day on: every change known by `ds`",
    (
        DS,
        ACCOUNT_ID,
        Column("user_id", STRING, "the person, or the account itself where it left its person", True, pattern=USER),
        Column("since_ds", STRING, "first day of it; `0001-01-01` where it was always so", True, pattern=DAY),
    ),
    key=("account_id", "since_ds"),
    snapshot=True,
    rules=_identities,
)


def _items(settings: Settings) -> list[RowRule]:
    days = "first_ds <= updated_ds AND updated_ds <= ds"
    return [("first_ds <= updated_ds <= ds", days, ("item_id", "first_ds", "updated_ds"))]


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
    rules=_items,
)


def _item_embeddings(settings: Settings) -> list[RowRule]:
    squares = "list_sum(list_transform(embedding, lambda x: x::DOUBLE * x))"
    return [("embedding has length 1", f"abs({squares} - 1) < 0.001", ("item_id", "text_hash"))]


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
    rules=_item_embeddings,
)


def _user_history(settings: Settings) -> list[RowRule]:
    days = "first_ds <= last_ds AND last_ds <= ds"
    return [
        ("first_ds <= last_ds <= ds", days, ("user_id", "first_ds", "last_ds")),
        (
            f"events holds at most {settings.history_events}",
            f"len(events) <= {settings.history_events}",
            ("user_id",),
        ),
        # impressions are counted and not listed, so a list may be empty, the counts never
        ("daily is not empty", "len(daily) > 0", ("user_id",)),
        ("events are oldest first", is_sorted("events", "event_time"), ("user_id",)),
    ]


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
    rules=_user_history,
)


def _training_examples(settings: Settings) -> list[RowRule]:
    who = ("user_id", "cutoff_ds")
    return [
        ("cutoff_ds is before ds", "cutoff_ds < ds", who),
        ("events are known at the cut-off", none_of("events", "e.arrival_ds > cutoff_ds"), who),
        ("future is after the cut-off", none_of("future", "e.arrival_ds <= cutoff_ds"), who),
        *[(f"{act}_7d implies {act}_28d", f"NOT {act}_7d OR {act}_28d", who) for act in ACTS],
        ("churn_28d implies churn_7d", "NOT churn_28d OR churn_7d", who),
        ("churn_28d is no future", "churn_28d = (len(future) = 0)", who),
    ]


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
        Column("click_28d", BOOL, "a view within 28 days", True),
        Column("cart_7d", BOOL, "a cart within 7 days", True),
        Column("cart_28d", BOOL, "a cart within 28 days", True),
        Column("purchase_7d", BOOL, "a purchase within 7 days", True),
        Column("purchase_28d", BOOL, "a purchase within 28 days", True),
        Column("return_7d", BOOL, "a return within 7 days", True),
        Column("return_28d", BOOL, "a return within 28 days", True),
        Column("churn_7d", BOOL, "no activity within 7 days", True),
        Column("churn_28d", BOOL, "no activity within 28 days", True),
    ),
    key=("user_id", "cutoff_ds"),
    keep=Keep(4, 8),  # of the trainings of the last weeks
    rules=_training_examples,
)

ACTS = ("click", "cart", "purchase", "return")
