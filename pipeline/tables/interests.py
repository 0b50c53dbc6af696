"""The tables of interests: topics, where each user stands and moves to, signals, segments."""

from pipeline.runtime.settings import Settings
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
    RowRule,
    Table,
    list_of,
)

TOPIC = r"^t\d{4,}$"
DRIFT_STAGES = ("stable", "shifting", "shifted", "reviving", "fading")
TOPIC_SHARES = list_of(topic_id=STRING, share=FLOAT)
DUE_AGAIN = list_of(topic_id=STRING, item_id=STRING, due_ds=STRING, cycle_days=FLOAT)
SEARCH_INTENTS = list_of(query=STRING, topic_id=STRING, weight=FLOAT)


TOLERANCE = 1e-6


def _topic(name: str, meaning: str, required: bool = False, nulls: str = "") -> Column:
    return Column(name, STRING, meaning, required, pattern=TOPIC, nulls=nulls)


def _share(name: str, meaning: str, required: bool = True, nulls: str = "") -> Column:
    return Column(name, FLOAT, meaning, required, "share", 0, 1, nulls=nulls)


def _topics(settings: Settings) -> list[RowRule]:
    squares = "list_sum(list_transform(centroid, lambda x: x::DOUBLE * x))"
    days, heirs = ("topic_id", "born_ds", "ended_ds"), ("topic_id", "ended_how", "merged_into")
    return [
        ("born_ds <= ds", "born_ds <= ds", days),
        (
            "born_ds <= ended_ds <= ds",
            "ended_ds IS NULL OR ended_ds BETWEEN born_ds AND ds",
            days,
        ),
        (
            "ended_how tells of topics with ended_ds",
            "(ended_how IS NULL) = (ended_ds IS NULL)",
            ("topic_id", "ended_ds", "ended_how"),
        ),
        (
            "merged_into tells of merged topics",
            "(merged_into IS NOT NULL) = coalesce(ended_how = 'merged', false)",
            heirs,
        ),
        (
            "a topic has items until it ends",
            "(items > 0) = (ended_ds IS NULL)",
            ("topic_id", "items", "ended_ds"),
        ),
        (
            "a topic neither comes out of itself nor goes into itself",
            "topic_id IS DISTINCT FROM merged_into AND topic_id IS DISTINCT FROM split_from",
            (*heirs, "split_from"),
        ),
        ("centroid has length 1", f"abs({squares} - 1) < 0.001", ("topic_id",)),
    ]


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
    rules=_topics,
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

DRIFT = ("drift_from_topic", "drift_to_topic", "drift_since_ds", "drift_found_ds")


ALARM = 0.05  # p-value up to which a change is told


def _shares(name: str) -> list[RowRule]:
    shares = f"list_transform({name}, lambda x: x.share::DOUBLE)"
    topics = f"list_transform({name}, lambda x: x.topic_id)"
    return [
        (
            f"shares of {name} sum to 1, or there are none",
            f"len({name}) = 0 OR abs(list_sum({shares}) - 1) < 0.001",
            ("user_id", name),
        ),
        (f"{name} are most first", f"{shares} = list_reverse_sort({shares})", ("user_id",)),
        (f"{name} are distinct", f"len(list_distinct({topics})) = len({name})", ("user_id",)),
    ]


def _user_interests(settings: Settings) -> list[RowRule]:
    who = ("user_id", "drift_stage")
    nulls = " AND ".join(f"({name} IS NULL) = (drift_stage = 'stable')" for name in DRIFT)
    rules: list[RowRule] = [
        ("the columns of a drift are null while stable, and only then", nulls, (*who, *DRIFT)),
        (
            "drift_since_ds <= drift_found_ds <= ds",
            "drift_stage = 'stable' OR (drift_since_ds <= drift_found_ds AND drift_found_ds <= ds)",
            (*who, "drift_since_ds", "drift_found_ds"),
        ),
        (
            "a drift goes from one topic to another",
            "drift_stage = 'stable' OR drift_from_topic IS DISTINCT FROM drift_to_topic",
            (*who, *DRIFT),
        ),
        (
            f"a drift that is told has a drift_p_value of at most {ALARM}",
            f"drift_stage = 'stable' OR drift_p_value <= {ALARM}",
            (*who, "drift_p_value"),
        ),
        (
            "interest_events_short is at most interest_events_long",
            "interest_events_short <= interest_events_long + 0.001",
            ("user_id", "interest_events_short", "interest_events_long"),
        ),
        (
            "weeks match weekly_topics",
            "len(weeks) = len(weekly_topics)",
            ("user_id", "weeks", "weekly_topics"),
        ),
        (
            "weeks are distinct, oldest first, up to ds",
            "weeks = list_sort(list_distinct(weeks)) AND coalesce(weeks[-1] <= ds, true)",
            ("user_id", "weeks"),
        ),
    ]
    for name in ("interests_long", "interests_short"):
        rules += _shares(name)
    return rules


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
    rules=_user_interests,
)  # fmt: skip


def _migrations(settings: Settings) -> list[RowRule]:
    monday = "coalesce(isodow(try_cast(week AS DATE)) = 1, false)"
    return [("week is a Monday up to ds", f"{monday} AND week <= ds", ("week",))]


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
    rules=_migrations,
)  # fmt: skip


def _migration_patterns(settings: Settings) -> list[RowRule]:
    return [
        ("share is 0 without users, and only then", "(share > 0) = (users > 0)", ("pattern",)),
        ("switches need two topics", "switches = 0 OR topics > 1", ("pattern", "switches")),
    ]


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
    rules=_migration_patterns,
)

REASON_FROM = 0.5  # the anomaly score of one user of a thousand


def _user_signals(settings: Settings) -> list[RowRule]:
    who = ("user_id",)
    due = "list_transform(due_again, lambda e: e.due_ds)"
    weights = "list_transform(search_intents, lambda e: e.weight)"
    endless = "lambda e: NOT e.cycle_days > 0"
    stages = "segment NOT IN ('regular', 'fading') OR is_regular"
    return [
        ("regular and fading users are regulars", stages, (*who, "segment", "is_regular")),
        ("only regulars fade", "is_regular OR fading = 0", (*who, "fading")),
        (
            f"anomaly_reason is null below {REASON_FROM} and not above",
            f"abs(anomaly_score - {REASON_FROM}) <= {TOLERANCE} "
            f"OR (anomaly_reason IS NOT NULL) = (anomaly_score > {REASON_FROM})",
            (*who, "anomaly_score", "anomaly_reason"),
        ),
        ("due_again is soonest first", f"{due} = list_sort({due})", who),
        (
            "cycles last longer than 0 days",
            f"len(list_filter(due_again, {endless})) = 0",
            who,
        ),
        (
            "search_intents are most first",
            f"{weights} = list_reverse_sort({weights})",
            who,
        ),
        (
            "sentiment is null without reviews and not with",
            "(sentiment IS NULL) = (reviews = 0)",
            (*who, "sentiment", "reviews"),
        ),
    ]


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
    rules=_user_signals,
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


def _segments(settings: Settings) -> list[RowRule]:
    floor, shown = settings.segment_floor, ("segment", "users", "is_exported")
    return [
        ("users is null unless exported", "(users IS NOT NULL) = is_exported", shown),
        (f"users is null or at least {floor}", f"users IS NULL OR users >= {floor}", shown),
    ]


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
    rules=_segments,
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
