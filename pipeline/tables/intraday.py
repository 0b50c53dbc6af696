"""The tables of the intraday refresh: what has landed since the base night, before the next one.

Partition `ds` is the day of the refresh. Every refresh publishes it anew: rows of the users it
touched are new, the others stay as they were. The night of that day makes all of it out of date.
"""

from pipeline.runtime.settings import Settings
from pipeline.tables.columns import DAY, DS
from pipeline.tables.features import USER_FEATURES
from pipeline.tables.schema import (
    BOOL,
    DOUBLE,
    INSTANT,
    LONG,
    STRING,
    Column,
    Keep,
    RowRule,
    Table,
    list_of,
)
from pipeline.tables.state import USER_HISTORY

LANDED_FILES = list_of(name=STRING, bytes=LONG, landed_at=INSTANT)
STEP_SECONDS = list_of(step=STRING, seconds=DOUBLE)

HOUR = Column(
    "hour",
    STRING,
    "hour of the refresh that wrote the row, on the clock of TIDEMARK_BUSINESS_TZ",
    True,
    pattern=r"^\d{4}-\d{2}-\d{2}T([01]\d|2[0-3])$",
)
BASE_DS = Column("base_ds", STRING, "the published night it goes on from", True, pattern=DAY)

OWN_HOUR: RowRule = ("hour is one of ds", "left(hour, 10) = ds", ("hour",))


LATER_BASE: RowRule = ("base_ds is before ds", "base_ds < ds", ("hour", "base_ds"))


USER_HISTORY_INTRADAY = Table(
    "user_history_intraday",
    "what `user_history` of `ds` would say, if nothing more landed, of every user with an event "
    "that landed since the base night; a user whose day proves to be a bot's goes back to the base "
    "history, or out of the table without one",
    (*USER_HISTORY.columns, HOUR),
    key=("user_id",),
    keep=Keep(3),  # the night replaces it
    snapshot=True,
    rules=lambda settings: [*USER_HISTORY.rules(settings), OWN_HOUR],
)

USER_FEATURES_INTRADAY = Table(
    "user_features_intraday",
    "`user_features` of the users of `user_history_intraday`",
    (*USER_FEATURES.columns, HOUR, BASE_DS),
    key=("user_id",),
    keep=Keep(3),
    snapshot=True,
    rules=lambda settings: [*USER_FEATURES.rules(settings), OWN_HOUR, LATER_BASE],
)

DECISIONS = ("serve", "keep", "rollback", "wait")
JUDGED = list_of(
    version=STRING, loss=DOUBLE, loss_low=DOUBLE, loss_high=DOUBLE, recall=DOUBLE,
    recall_low=DOUBLE, recall_high=DOUBLE,
)  # fmt: skip


def _count(name: str, meaning: str, unit: str) -> Column:
    return Column(name, LONG, meaning, True, unit, 0)


def _time(name: str, meaning: str) -> Column:
    return Column(name, INSTANT, meaning, nulls="without files")


def _intraday_refreshes(settings: Settings) -> list[RowRule]:
    counts = ("hour", "records", "events", "duplicates", "quarantined")
    return [
        OWN_HOUR,
        LATER_BASE,
        (
            "records = events + duplicates + quarantined",
            "records = events + duplicates + quarantined",
            counts,
        ),
        ("records come from files", "len(files) > 0 OR records = 0", counts),
        (
            "files have times, the first before the last",
            "CASE WHEN len(files) = 0 THEN first_landed_at IS NULL AND last_landed_at IS NULL "
            "ELSE first_landed_at <= last_landed_at END",
            ("hour", "first_landed_at", "last_landed_at"),
        ),
    ]


INTRADAY_REFRESHES = Table(
    "intraday_refreshes",
    "the finished refreshes of `ds`: which landed files they took and what became of the records",
    (
        DS,
        HOUR,
        Column("run", STRING, "id that its steps share; an hour may be refreshed again", True),
        BASE_DS,
        Column("base_published_at", INSTANT, "when the base night's histories became visible",
               True),
        Column("anew", BOOL, "whether it took all files, those of earlier refreshes too: it is the "
               "first on its base, or a file taken before had changed", True),
        Column("files", LANDED_FILES, "files taken, by name below landing/", True),
        _count("records", "records of these files", "records"),
        _count("events", "records that became events", "events"),
        _count("duplicates", "records that repeat another", "records"),
        _count("quarantined", "rejected records, and those of bots", "records"),
        _count("users", "users whose rows it wrote", "users"),
        _time("first_landed_at", "when the first of these files landed"),
        _time("last_landed_at", "when the last of these files landed"),
        Column("readable_at", INSTANT, "when the online store had all of it", True),
        Column("model_version", STRING, "registry version that scored", nulls="without users"),
        Column("store_version", STRING, "version of the online store that was patched",
               nulls="where no earlier night serves"),
        Column("seconds", STEP_SECONDS, "what each step took", True),
    ),
    key=("hour", "run"),
    rules=_intraday_refreshes,
)  # fmt: skip

INTRADAY_TABLES = (USER_HISTORY_INTRADAY, USER_FEATURES_INTRADAY, INTRADAY_REFRESHES)


def _gain(name: str, meaning: str, nulls: str) -> tuple[Column, ...]:
    bounds = (("", ""), ("_low", ", lower bound"), ("_high", ", upper bound"))
    return tuple(
        Column(f"{name}{suffix}", DOUBLE, f"{meaning}{told}", nulls=nulls, unit="nats") for suffix, told in bounds
    )


GAINS = ("serving_gain", "candidate_gain", "older_gain")


def _hourly_judgements(settings: Settings) -> list[RowRule]:
    shown = ("hour", "decision", "serves")
    served = "serves = candidate AND candidate_gain >= 0"
    return [
        OWN_HOUR,
        (
            "a candidate serves only where it gained",
            f"decision <> 'serve' OR coalesce({served}, false)",
            (*shown, "candidate_gain"),
        ),
        (
            "the champion serves after a rollback",
            "decision <> 'rollback' OR serves = base_version",
            shown,
        ),
        (
            "else what served goes on",
            "decision NOT IN ('keep', 'wait') OR serves = serving",
            (*shown, "serving"),
        ),
        *(
            (
                f"{gain}_low <= {gain} <= {gain}_high",
                f"{gain} IS NULL OR ({gain}_low <= {gain} AND {gain} <= {gain}_high)",
                ("hour", gain),
            )
            for gain in GAINS
        ),
    ]


HOURLY_JUDGEMENTS = Table(
    "hourly_judgements",
    "how each hour's events were foretold by the champion, by what served and by the candidate "
    "trained before it, and which version serves from then on; 95% intervals over users",
    (
        DS,
        HOUR,
        Column("base_version", STRING, "the champion that the hour's versions go on from", True),
        Column("serving", STRING, "version that served in the hour", True),
        Column("candidate", STRING, "version that was judged", nulls="without one"),
        Column("serves", STRING, "version that serves from now on", True),
        Column("next_candidate", STRING, "version that learned from the hour",
               nulls="where nothing was learned"),
        Column("users", LONG, "users who turned to an item that was known", True, "users", 0),
        Column("events", LONG, "events that came in", True, "events", 0),
        Column("judged", JUDGED, "loss (nats per item) and recall at 10 of each version, the "
               "champion first; empty without users", True),
        *_gain("serving_gain", "by how much what served foretold better than the champion",
               "where the champion served, and without users"),
        *_gain("candidate_gain", "by how much the candidate foretold better than what served",
               "without a candidate or users"),
        *_gain("older_gain", "the same, of what users of older rows turned to",
               "without a candidate or older rows"),
        Column("decision", STRING, "what came of it", True, values=DECISIONS),
        Column("reason", STRING, "why", True),
    ),
    key=("hour",),
    rules=_hourly_judgements,
)  # fmt: skip


HOURLY_TABLES = (HOURLY_JUDGEMENTS,)
