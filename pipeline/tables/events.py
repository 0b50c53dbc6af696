"""The tables of what happened: one partition per arrival day."""

from dataclasses import replace

import pyarrow as pa

from pipeline.runtime.settings import Settings
from pipeline.tables.columns import (
    ACCOUNT_ID,
    DAY,
    DS,
    EVENT_TYPES,
    ITEMLESS_EVENT_TYPES,
    PLATFORM,
    USER,
)
from pipeline.tables.schema import (
    BOOL,
    DOUBLE,
    INSTANT,
    INT,
    LONG,
    STRING,
    TEXTS,
    Column,
    RowRule,
    Table,
    list_of,
)

# Since version 2.0 these tables hold accounts; persons are joined where histories are made, by `identities`.
SINCE_ACCOUNTS = "2.0"
# Days of before hold persons there, until they are run again.
ACCOUNT = replace(ACCOUNT_ID, since=SINCE_ACCOUNTS, renamed_from="user_id")

# The end of a day in the westernmost zone (UTC-12), and one day for clocks that run ahead.
LATEST_HOURS_AFTER_DAY_BEGINS = 24 + 12 + 24
LATEST_HOURS_AFTER_KNOWN_DAY_BEGINS = 24 + 12


def _what_happened(required: bool) -> tuple[Column, ...]:
    """The canonical columns of an event; raw events may still lack the required ones."""
    return (
        Column("event_id", STRING, "hash of the event's content", required, pattern=USER),
        replace(ACCOUNT, required=required),
        Column("item_id", STRING, "`<platform>:<raw item id>`, null for a search"),
        Column("event_type", STRING, "what the user did", required, values=EVENT_TYPES),
        Column("event_time", INSTANT, "when it happened", required, "UTC"),
        Column("arrival_ds", STRING, "day on which the row landed", True, pattern=DAY),
        Column(
            "known_ds",
            STRING,
            "the day after `arrival_ds` where `event_time` is after the end of `arrival_ds` on the platform's clock: "
            "states know the event from then on; else null",
            pattern=DAY,
        ),
        Column("quantity", DOUBLE, "pieces, positive also for returns", unit="pieces"),
        Column("price", DOUBLE, "unit price", unit="platform currency"),
        Column("query", STRING, "search text"),
        Column("text", STRING, "review text"),
        Column("rating", DOUBLE, "rating given", unit="stars"),
        Column("campaign_id", STRING, "advertising campaign of an impression"),
        Column("propensity", DOUBLE, "logging policy's probability of the impression"),
        Column("attributes", pa.map_(STRING, STRING), "further fields of the source"),
    )


def _same_day() -> RowRule:
    return ("arrival_ds = ds", "arrival_ds = ds", ("event_id", "arrival_ds"))


def _raw_events(settings: Settings) -> list[RowRule]:
    required = ("event_id", "account_id", "event_type", "event_time")
    present = " AND ".join(f"{name} IS NOT NULL" for name in required)
    return [
        _same_day(),
        (
            "a row without reject_reason is a whole event",
            f"reject_reason IS NOT NULL OR ({present})",
            ("reject_reason", *required, "source_file"),
        ),
    ]


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
    version=SINCE_ACCOUNTS,
    rules=_raw_events,
)


def _midnight(column: str) -> str:
    return f"(try_cast({column} AS DATE)::TIMESTAMP AT TIME ZONE 'UTC')"


def _events(settings: Settings) -> list[RowRule]:
    itemless = ", ".join(f"'{name}'" for name in ITEMLESS_EVENT_TYPES)
    return [
        _same_day(),
        (
            f"item_id is null for {', '.join(ITEMLESS_EVENT_TYPES)} only",
            f"item_id IS NOT NULL OR event_type IN ({itemless})",
            ("event_id", "event_type", "item_id"),
        ),
        (
            f"price is between 0 and {settings.max_price:.0f}",
            f"price IS NULL OR price BETWEEN 0 AND {settings.max_price}",
            ("event_id", "price"),
        ),
        (
            "quantity is positive",
            "quantity IS NULL OR (quantity > 0 AND isfinite(quantity))",
            ("event_id", "quantity"),
        ),
        (
            "known_ds is null or the day after the arrival day",
            f"known_ds IS NULL OR {_midnight('known_ds')} = {_midnight('ds')} + INTERVAL 1 DAY",
            ("event_id", "arrival_ds", "known_ds"),
        ),
        (
            "event_time is over when the event is known",
            f"event_time < {_midnight('coalesce(known_ds, ds)')} + INTERVAL {LATEST_HOURS_AFTER_KNOWN_DAY_BEGINS} HOUR",
            ("event_id", "event_time", "known_ds"),
        ),
    ]


EVENTS = Table(
    "events",
    "valid events, each once, owned by their arrival day",
    (DS, PLATFORM, *_what_happened(required=True)),
    key=("event_id",),
    version=SINCE_ACCOUNTS,
    rules=_events,
)


def _quarantine(settings: Settings) -> list[RowRule]:
    return [("reason is not empty", "trim(reason) <> ''", ("reason", "source_file"))]


QUARANTINE = Table(
    "quarantine",
    "landed rows that are no valid event, with the reason",
    (
        DS,
        PLATFORM,
        Column("reason", STRING, "why", True),
        Column("source_file", STRING, "landing file, relative to landing/", True),
        replace(ACCOUNT, meaning="pseudonym of the account, where the row had one", required=False),
        Column("record", STRING, "what was understood of the row, as JSON, without the user"),
    ),
    key=(),
    version=SINCE_ACCOUNTS,
    rules=_quarantine,
)


def _accounting(settings: Settings) -> list[RowRule]:
    counts = ("platform", "rows_landed", "events", "duplicates", "quarantined")
    by_reason = "coalesce(list_sum(list_transform(quarantine_reasons, lambda r: r.rows)), 0)"
    return [
        (
            "rows_landed = events + duplicates + quarantined",
            "rows_landed = events + duplicates + quarantined",
            counts,
        ),
        (
            "quarantine_reasons sum to quarantined",
            f"{by_reason} = quarantined",
            ("platform", "quarantined", "quarantine_reasons"),
        ),
    ]


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
    rules=_accounting,
)


def _sessions(settings: Settings) -> list[RowRule]:
    kinds = ("views", "searches", "carts", "purchases", "returns")
    times = ("session_id", "started_at", "ended_at", "duration_seconds")
    return [
        ("ended_at is not before started_at", "ended_at >= started_at", times),
        (
            "duration_seconds = ended_at - started_at",
            "abs(epoch(ended_at) - epoch(started_at) - duration_seconds) < 0.001",
            times,
        ),
        (
            f"a session lasts at most {settings.session_max_hours} hours",
            f"duration_seconds <= {settings.session_max_hours * 3600}",
            times,
        ),
        (
            "events by type are at most all events",
            f"{' + '.join(kinds)} <= events",
            ("session_id", "events", *kinds),
        ),
        (
            "items = distinct item_ids, at most one per event",
            "items = len(list_distinct(item_ids)) AND items <= events",
            ("session_id", "events", "items", "item_ids"),
        ),
    ]


SESSIONS = Table(
    "sessions",
    "unbroken activity of an account on a platform, owned by the day on which it closes",
    (
        DS,
        PLATFORM,
        Column("session_id", STRING, "hash of account, platform, start and lateness", True),
        ACCOUNT,
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
    version=SINCE_ACCOUNTS,
    rules=_sessions,
)
