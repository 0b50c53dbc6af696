"""The tables of interests: topics, where each user stands and moves to, signals, segments."""

from pipeline.tables.columns import DAY, DS, ITEM_ID, USER_ID
from pipeline.tables.schema import (
    BOOL,
    DOUBLE,
    FLOAT,
    INT,
    LONG,
    STRING,
    TEXTS,
    VECTOR,
    Column,
    Table,
    list_of,
)

TOPIC = r"^t\d{4,}$"
DRIFT_STAGES = ("stable", "shifting", "shifted", "reviving", "fading")
TOPIC_SHARES = list_of(topic_id=STRING, share=FLOAT)
DUE_AGAIN = list_of(topic_id=STRING, item_id=STRING, due_ds=STRING, cycle_days=FLOAT)
SEARCH_INTENTS = list_of(query=STRING, topic_id=STRING, weight=FLOAT)


def _topic(name: str, meaning: str, required: bool = False, nulls: str = "") -> Column:
    return Column(name, STRING, meaning, required, pattern=TOPIC, nulls=nulls)


def _share(name: str, meaning: str, required: bool = True, nulls: str = "") -> Column:
    return Column(name, FLOAT, meaning, required, "share", 0, 1, nulls=nulls)


TOPICS = Table(
    "topics",
    "interest topics as of `ds`, those that ended included: an id never changes its meaning",
    (
        DS,
        _topic("topic_id", "given at birth, never used again", True),
        Column("name", STRING, "readable name, from the words of its items", True),
        Column("words", TEXTS, "its most telling words, best first", True),
        Column("categories", TEXTS, "the commonest categories that platforms give its items", True),
        Column("platforms", TEXTS, "platforms of its items, sorted", True),
        Column("items", LONG, "items that belong to it now", True, "items", 0),
        Column("born_ds", STRING, "day of its birth", True, pattern=DAY),
        Column("ended_ds", STRING, "day of its end", pattern=DAY, nulls="while it is alive"),
        Column("ended_how", STRING, "how it ended", values=("died", "merged"),
               nulls="while it is alive"),
        _topic("merged_into", "the topic that took it over", nulls="unless it was merged"),
        _topic("split_from", "the topic that it came out of", nulls="unless it came out of one"),
        Column("encoder", STRING, "text encoder of the item vectors", True),
        Column("centroid", VECTOR, "unit-length mean of its items' vectors", True),
    ),
    key=("topic_id",),
    snapshot=True,
)  # fmt: skip

ITEM_TOPICS = Table(
    "item_topics",
    "the topic of every item known by `ds`",
    (
        DS,
        ITEM_ID,
        _topic("topic_id", "a topic that is alive", True),
        Column("similarity", FLOAT, "cosine of the item and the topic's centroid", True, "", -1, 1),
    ),
    key=("item_id",),
    snapshot=True,
)

USER_INTERESTS = Table(
    "user_interests",
    "where the interests of every user of `user_history` stand, and which way they move",
    (
        DS,
        USER_ID,
        Column("interests_long", TOPIC_SHARES, "long-term interests, most first", True),
        Column("interests_short", TOPIC_SHARES, "short-term interests, most first", True),
        Column("interest_events_long", FLOAT, "events that tell of the long-term ones, decayed",
               True, "events", 0),
        Column("interest_events_short", FLOAT, "events that tell of the short-term ones, decayed",
               True, "events", 0),
        Column("topic_entropy", FLOAT, "entropy of the long-term interests", True, "bits", 0),
        _share("drift_score", "distance of short- and long-term interests beyond sampling noise"),
        Column("drift_p_value", FLOAT, "chance of ever seeing as much evidence of a change within "
               "a year of nightly looks without any drift", True, "probability", 0, 1),
        _topic("drift_from_topic", "what the interests move away from", nulls="while stable"),
        _topic("drift_to_topic", "what they move towards", nulls="while stable"),
        Column("drift_since_ds", STRING, "day of its beginning", pattern=DAY, nulls="while stable"),
        Column("drift_found_ds", STRING, "day on which it was found", pattern=DAY,
               nulls="while stable"),
        Column("drift_stage", STRING, "how far it is", True, values=DRIFT_STAGES),
        Column("weekly_topics", TEXTS, "main topic of each of the last weeks with events, oldest "
               "first", True),
        Column("weeks", TEXTS, "Mondays of the weeks of `weekly_topics`", True),
        Column("pattern", STRING, "migration pattern of the weekly topics",
               nulls="with too few weeks to tell"),
    ),
    key=("user_id",),
    snapshot=True,
)  # fmt: skip

MIGRATIONS = Table(
    "migrations",
    "how many users' main topic moved from one to another, week by week, as known at `ds`",
    (
        DS,
        Column("week", STRING, "Monday of the week moved to", True, pattern=DAY),
        _topic("from_topic", "main topic of the user's week before with events", True),
        _topic("to_topic", "main topic of the week", True),
        Column("users", LONG, "users who moved, or stayed where both are the same", True,
               "users", 1),
        _share("share", "of the users of `from_topic`"),
    ),
    key=("week", "from_topic", "to_topic"),
    snapshot=True,
)  # fmt: skip

MIGRATION_PATTERNS = Table(
    "migration_patterns",
    "kinds of weekly interest paths, as known at `ds`",
    (
        DS,
        Column("pattern", STRING, "name", True),
        Column("meaning", STRING, "what its users do", True),
        Column("users", LONG, "users of this pattern", True, "users", 0),
        _share("share", "of the users with a pattern"),
        Column("switches", DOUBLE, "mean changes of the main topic", True, "changes", 0),
        Column("topics", DOUBLE, "mean number of main topics", True, "topics", 0),
    ),
    key=("pattern",),
    snapshot=True,
)

USER_SIGNALS = Table(
    "user_signals",
    "what the behaviour of every user of `user_history` tells besides interests",
    (
        DS,
        USER_ID,
        Column("segment", STRING, "stage of life", True,
               values=("new", "active", "regular", "fading", "lapsed")),
        Column("usual_gap_days", FLOAT, "usual days between active days", False, "days", 0,
               nulls="with one active day"),
        Column("is_regular", BOOL, "came often and evenly enough to be missed", True),
        _share("fading", "early warning: how unusual the silence is for this user"),
        _share("anomaly_score", "how unlike a person that buys for itself"),
        Column("anomaly_reason", STRING, "what stands out most", nulls="when nothing stands out"),
        _share("return_rate", "purchases returned, pulled towards the mean of all users"),
        Column("price_level", FLOAT, "mean log of the price paid over the usual price of the topic",
               unit="log ratio", nulls="without priced purchases"),
        Column("price_sensitivity", FLOAT, "mean log price of what is looked at minus that of what "
               "is bought, each over the usual price of its topic",
               unit="log ratio", nulls="with too few priced events"),
        Column("due_again", DUE_AGAIN, "bought in cycles, the soonest due first", True),
        Column("search_intents", SEARCH_INTENTS, "what was searched of late, most first", True),
        Column("sentiment", FLOAT, "mean sentiment of the user's reviews", False, "score", -1, 1,
               nulls="without a review"),
        Column("reviews", INT, "reviews in the window", True, "reviews", 0),
    ),
    key=("user_id",),
    snapshot=True,
)  # fmt: skip

REVIEW_SENTIMENTS = Table(
    "review_sentiments",
    "sentiment of the texts of reviews of the last `active_days`, as known at `ds`",
    (
        DS,
        Column("event_id", STRING, "the review", True),
        USER_ID,
        ITEM_ID,
        Column("rating", DOUBLE, "rating that came with it", nulls="when none came"),
        Column("sentiment", FLOAT, "-1 (bad) to 1 (good), from the text alone", True, "", -1, 1),
    ),
    key=("event_id",),
    snapshot=True,
)

SEGMENTS = Table(
    "segments",
    "named groups of users for campaigns, with their sizes, as of `ds`",
    (
        DS,
        Column("segment", STRING, "name", True, pattern=r"^[a-z][a-z0-9_]*$"),
        Column("meaning", STRING, "who belongs to it", True),
        Column("users", LONG, "members", nulls="when fewer than the k-anonymity floor",
               unit="users", minimum=1),
        Column("is_exported", BOOL, "whether its members are in `segment_members`", True),
    ),
    key=("segment",),
    snapshot=True,
)  # fmt: skip

SEGMENT_MEMBERS = Table(
    "segment_members",
    "members of the segments that are large enough to be exported",
    (
        DS,
        Column("segment", STRING, "name", True, pattern=r"^[a-z][a-z0-9_]*$"),
        USER_ID,
    ),
    key=("segment", "user_id"),
    snapshot=True,
)

INTEREST_TABLES = (
    TOPICS,
    ITEM_TOPICS,
    USER_INTERESTS,
    MIGRATIONS,
    MIGRATION_PATTERNS,
    REVIEW_SENTIMENTS,
    USER_SIGNALS,
    SEGMENTS,
    SEGMENT_MEMBERS,
)
