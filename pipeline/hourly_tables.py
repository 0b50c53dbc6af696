"""The table of hourly learning: why a version serves after an hour."""

from pipeline.tables.columns import DS
from pipeline.tables.intraday import HOUR
from pipeline.tables.schema import DOUBLE, LONG, STRING, Column, Table, list_of

DECISIONS = ("serve", "keep", "rollback", "wait")
JUDGED = list_of(
    version=STRING, loss=DOUBLE, loss_low=DOUBLE, loss_high=DOUBLE, recall=DOUBLE,
    recall_low=DOUBLE, recall_high=DOUBLE,
)  # fmt: skip


def _gain(name: str, meaning: str, nulls: str) -> tuple[Column, ...]:
    bounds = (("", ""), ("_low", ", lower bound"), ("_high", ", upper bound"))
    return tuple(
        Column(f"{name}{suffix}", DOUBLE, f"{meaning}{told}", nulls=nulls, unit="nats")
        for suffix, told in bounds
    )


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
)  # fmt: skip

HOURLY_TABLES = (HOURLY_JUDGEMENTS,)
