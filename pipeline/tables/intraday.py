"""The tables of the intraday refresh: what has landed since the base night, before the next one.

Partition `ds` is the day of the refresh. Every refresh publishes it anew: rows of the users it
touched are new, the others stay as they were. The night of that day makes all of it out of date.
"""

from pipeline.tables.columns import DAY, DS
from pipeline.tables.features import USER_FEATURES
from pipeline.tables.schema import BOOL, DOUBLE, INSTANT, LONG, STRING, Column, Table, list_of
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

USER_HISTORY_INTRADAY = Table(
    "user_history_intraday",
    "what `user_history` of `ds` would say, if nothing more landed, of every user with an event "
    "that landed since the base night; a user whose day proves to be a bot's goes back to the base "
    "history, or out of the table without one",
    (*USER_HISTORY.columns, HOUR),
    key=("user_id",),
    snapshot=True,
)

USER_FEATURES_INTRADAY = Table(
    "user_features_intraday",
    "`user_features` of the users of `user_history_intraday`",
    (*USER_FEATURES.columns, HOUR, BASE_DS),
    key=("user_id",),
    snapshot=True,
)


def _count(name: str, meaning: str, unit: str) -> Column:
    return Column(name, LONG, meaning, True, unit, 0)


def _time(name: str, meaning: str) -> Column:
    return Column(name, INSTANT, meaning, nulls="without files")


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
)  # fmt: skip

INTRADAY_TABLES = (USER_HISTORY_INTRADAY, USER_FEATURES_INTRADAY, INTRADAY_REFRESHES)
