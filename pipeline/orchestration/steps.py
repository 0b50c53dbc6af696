"""The graph of the night, declared once: what runs, what it reads and writes, what it waits for.

The DAGs, the range load, the report's timeline and the diagram in the docs follow from it. A new
step is one entry here, after the steps whose tables it reads; its program lives in its own package.
"""

from pipeline.orchestration.graph import Part, Step

# Parts of steps, which share one process.
INGEST = Part(
    "ingest",
    "spark_jobs/ingest_raw.py",
    reads=("identities",),
    writes=("raw_events", "landed_files", "identities"),
    settings=("max_record_bytes", "max_price"),
    sources=(
        "timezone",
        "event",
        "reject",
        "max_late_days",
        "delivery.format",
        "delivery.columns",
        "delivery.encoding",
        "delivery.delimiter",
        "delivery.quote",
        "delivery.escape",
        "delivery.comment",
        "delivery.header",
        "delivery.decimal",
        "delivery.thousands",
        "on_error",
    ),
    every_day=True,
)
CLEAN = Part(
    "clean",
    "spark_jobs/clean_events.py",
    reads=("raw_events",),
    writes=("events", "quarantine", "accounting"),
    settings=("dedup_days", "bot_events_per_day", "bot_events_per_minute"),
    sources=("near_duplicate_seconds", "timezone"),
    every_day=True,
)
SESSIONIZE = Part(
    "sessionize",
    "spark_jobs/build_sessions.py",
    reads=("events",),
    writes=("sessions",),
    settings=("session_gap_minutes", "session_max_hours"),
    sources=("timezone",),
    every_day=True,
)
CATALOGUE = Part(
    "catalogue",
    "spark_jobs/build_catalogue.py",
    reads=("events", "raw_events", "items"),
    writes=("items",),
    settings=("max_record_bytes",),
    sources=("items",),
)
ACCUMULATE = Part(
    "accumulate",
    "spark_jobs/accumulate_history.py",
    reads=("events", "identities", "user_history"),
    writes=("user_history",),
    settings=("active_days", "history_events"),
)
ENCODE = Part(
    "encode",
    "training.encode_items",
    reads=("items", "item_embeddings"),
    writes=("item_embeddings",),
    settings=("text_encoder", "text_length", "image_encoder"),
)
REVIEWS = Part(
    "reviews",
    "training.score_reviews",
    reads=("events", "identities"),
    writes=("review_sentiments",),
    settings=("active_days",),
)
TOPICS = Part(
    "topics",
    "training.build_topics",
    reads=("items", "item_embeddings", "user_history", "topics", "item_topics"),
    writes=("topics", "item_topics"),
    settings=("topics",),
)

LAND = Step(
    "land",
    "spark_jobs/land_days.py",
    "Reads landed files into `raw_events`, ids pseudonymised, and the identity map into `identities`; then splits the "
    "rows into `events`, duplicates and `quarantine`, and accounts for every one. Refuses a damaged file.",
    daily=True,
    parts=(INGEST, CLEAN),
)
DERIVE = Step(
    "derive",
    "spark_jobs/derive_days.py",
    "Builds the sessions that closed on the day, brings the catalogue up to date, and merges the day's events into "
    "each user's history.",
    daily=True,
    parts=(SESSIONIZE, CATALOGUE, ACCUMULATE),
)
DESCRIBE = Step(
    "describe",
    "training.describe_days",
    "Encodes the texts of new and changed items, scores the sentiment of reviews, and assigns items to interest "
    "topics, which keep their ids from night to night.",
    daily=True,
    parts=(ENCODE, REVIEWS, TOPICS),
)
PROFILE = Step(
    "profile",
    "spark_jobs/profile_users.py",
    "Finds each user's interests, their drift, and the signals in behaviour.",
    reads=("user_history", "items", "item_topics", "review_sentiments"),
    writes=("user_interests", "migrations", "migration_patterns", "user_signals"),
    version=2,  # impressions are no activity
)
EXAMPLES = Step(
    "examples",
    "spark_jobs/build_examples.py",
    "Builds training examples: users as known at a cut-off, and what they did next.",
    reads=("events", "identities"),
    writes=("training_examples",),
    training=True,
    settings=("active_days", "history_events"),
    version=2,  # churn does not count impressions
)
TRAIN = Step(
    "train",
    "training.train",
    "Trains a challenger with torchrun, one MLflow run; a retry resumes.",
    reads=("training_examples", "item_embeddings", "items"),
    training=True,
)
EVALUATE = Step(
    "evaluate",
    "training.evaluate",
    "Ranks the later window with the challenger and the baselines.",
    reads=("training_examples", "item_embeddings", "items"),
    after=("train",),
    training=True,
)
PROMOTE = Step(
    "promote",
    "training.promote",
    "Makes the challenger champion when it is not worse.",
    after=("evaluate",),
    training=True,
)
SCORE = Step(
    "score",
    "training.score",
    "Scores every user active in the window, bucket by bucket, with one champion.",
    reads=("user_history", "item_embeddings", "items", "user_interests", "user_signals"),
    writes=("user_features",),
    after=("promote",),
    version=2,  # impressions are no activity
)
SEGMENT = Step(
    "segment",
    "pipeline.decisions.segments.build_segments",
    "Lists the users of each campaign segment; small segments are not exported.",
    reads=("user_features", "topics"),
    writes=("segments", "segment_members"),
    version=2,  # who was only shown things is in none that says active
    settings=("segment_floor",),
    command="segments build",
)
SERVE = Step(
    "serve",
    "pipeline.features.online.load_command",
    "Loads the night into the online store, then switches readers over at once.",
    reads=("user_features",),
    command="online load",
)
REPORT = Step(
    "report",
    "pipeline.report.build",
    "Draws the nightly report, one page that needs nothing else, and prints what the night published.",
    reads=(
        "accounting",
        "sessions",
        "items",
        "user_history",
        "topics",
        "user_interests",
        "migrations",
        "migration_patterns",
        "user_signals",
        "user_features",
        "segments",
    ),
    after=("serve",),
    command="build-report",
)

# In DAGs of their own, triggered by `user_features`.
AD_POLICY = Step(
    "ad_policy",
    "pipeline.decisions.campaigns.build",
    "Judges each campaign's challenger on the log; decides who is shown what.",
    reads=("user_features", "events", "identities", "segment_members", "ad_policy", "policy_judgements"),
    writes=("ad_policy", "policy_judgements"),
    record=True,
    command="ads policy",
)
INTERVENE = Step(
    "intervene",
    "pipeline.decisions.interventions.build",
    "Lists whom to contact tomorrow, with reason and suggested action.",
    reads=("user_features", "events", "identities", "interventions"),
    writes=("interventions",),
    record=True,
    command="ads interventions",
)
UPLIFT = Step(
    "uplift",
    "pipeline.decisions.uplift.build",
    "Estimates whom an ad changes, where an experiment allows it; otherwise says why not.",
    reads=("user_features", "events", "identities"),
    writes=("user_uplift", "uplift_judgements"),
    record=True,
    command="ads uplift",
)

EXPERIMENTS = Step(
    "experiments",
    "pipeline.decisions.experiments.report",
    "Writes a page with the result of each declared experiment.",
    reads=("events", "identities", "interventions"),
    command="experiment report",
)

# Of the hourly DAG: what landed since the base night, for the users it is about.
REFRESH = Step(
    "refresh",
    "spark_jobs/refresh_users.py",
    "Histories, interests and signals of the users of newly landed files.",
    reads=("raw_events", "identities", "user_history", "items", "item_topics", "review_sentiments"),
    writes=("user_history_intraday",),
    record=True,
    key="hour",
)
RESCORE = Step(
    "rescore",
    "training.rescore",
    "Scores those users with the champion.",
    reads=("user_history_intraday", "user_history", "item_embeddings", "items"),
    writes=("user_features_intraday",),
    record=True,
    key="hour",
)
PATCH = Step(
    "patch",
    "pipeline.intraday.patch",
    "Writes their rows into the night that serves online; records the files as taken.",
    reads=("user_features_intraday", "user_history_intraday", "intraday_refreshes"),
    writes=("intraday_refreshes",),
    record=True,
    key="hour",
    command="online patch",
)
# In a DAG of its own, triggered by `user_features_intraday`.
LEARN = Step(
    "learn",
    "training.learn_hourly",
    "Judges on the hour's events what was learned before it; learns from them for the next.",
    reads=("intraday_refreshes", "user_history_intraday", "user_history", "item_embeddings", "items"),
    writes=("hourly_judgements",),
    record=True,
    key="hour",
)
# In a DAG of its own, monthly.
ADAPT = Step(
    "adapt",
    "training.adapt_encoder",
    "Fine-tunes the text encoder on the shop's own texts with torchrun, one MLflow run; a retry resumes.",
    reads=("user_history", "items"),
)
PROMOTE_ENCODER = Step(
    "promote_encoder",
    "training.promote_encoder",
    "Lets later nights use the adapted encoder when it is better on cold items and nowhere worse.",
    after=("adapt",),
)

NIGHT = (
    LAND,
    DERIVE,
    DESCRIBE,
    PROFILE,
    EXAMPLES,
    TRAIN,
    EVALUATE,
    PROMOTE,
    SCORE,
    SEGMENT,
    SERVE,
    REPORT,
)
ADAPT_STEPS = (ADAPT, PROMOTE_ENCODER)
TRAINING_STEPS = tuple(step for step in NIGHT if step.training)
DECISION_STEPS = (AD_POLICY, INTERVENE, UPLIFT, EXPERIMENTS)
INTRADAY_STEPS = (REFRESH, RESCORE, PATCH)
STEPS = (*NIGHT, *DECISION_STEPS, *INTRADAY_STEPS, LEARN, *ADAPT_STEPS)


_PART_WRITING = {table: part for step in STEPS for part in step.parts for table in part.writes}


def part_writing(table: str) -> Part | None:
    """The part that writes a table; None when no step does."""
    return _PART_WRITING.get(table)


def step_writing(table: str) -> Step:
    """The step that writes a table; StopIteration when none does."""
    return next(step for step in STEPS if table in step.writes)


def names() -> list[str]:
    """What `run --until` accepts: the steps of a night and their parts, in order."""
    return list(dict.fromkeys(name for step in NIGHT for name in (*(part.name for part in step.parts), step.name)))


def step_named(name: str) -> Step | Part:
    """The step or part of a night with that name; StopIteration when there is none."""
    parts = [part for step in NIGHT for part in step.parts]
    declared: list[Step | Part] = [*NIGHT, *parts]
    return next(one for one in declared if one.name == name)
