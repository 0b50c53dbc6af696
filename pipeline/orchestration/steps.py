"""The steps of a night, in order: what runs them, what they write. Airflow and `run` read this."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One job and the tables that it stages, audits and publishes.

    `spark` jobs are files for spark-submit, the others modules for `python -m`. A `daily` step
    exists for every day of a range; a step that is not runs for the last day only. Its partition
    key is a day, or an hour (`--hour`).
    """

    name: str
    program: str
    tables: tuple[str, ...]
    spark: bool = True
    daily: bool = True
    key: str = "ds"


INGEST = Step("ingest", "spark_jobs/ingest_raw.py", ("raw_events",))
CLEAN = Step("clean", "spark_jobs/clean_events.py", ("events", "quarantine", "accounting"))
SESSIONIZE = Step("sessionize", "spark_jobs/build_sessions.py", ("sessions",))
CATALOGUE = Step("catalogue", "spark_jobs/build_catalogue.py", ("items",))
ACCUMULATE = Step("accumulate", "spark_jobs/accumulate_history.py", ("user_history",))
ENCODE = Step("encode", "training.encode_items", ("item_embeddings",), spark=False)
EXAMPLES = Step("examples", "spark_jobs/build_examples.py", ("training_examples",), daily=False)
TRAIN = Step("train", "training.train", (), spark=False, daily=False)
EVALUATE = Step("evaluate", "training.evaluate", (), spark=False, daily=False)
PROMOTE = Step("promote", "training.promote", (), spark=False, daily=False)
TOPICS = Step("topics", "training.build_topics", ("topics", "item_topics"), spark=False, daily=False)
REVIEWS = Step("reviews", "training.score_reviews", ("review_sentiments",), spark=False, daily=False)
PROFILE = Step(
    "profile",
    "spark_jobs/profile_users.py",
    ("user_interests", "migrations", "migration_patterns", "user_signals"),
    daily=False,
)
SCORE = Step("score", "training.score", ("user_features",), spark=False, daily=False)
SEGMENT = Step(
    "segment",
    "pipeline.decisions.segments.build_segments",
    ("segments", "segment_members"),
    spark=False,
    daily=False,
)
SERVE = Step("serve", "pipeline.features.online.load_command", (), spark=False, daily=False)
REPORT = Step("report", "pipeline.report.build", (), spark=False, daily=False)

# Of a DAG of their own, triggered by `user_features`: no part of the night.
AD_POLICY = Step(
    "ad_policy",
    "pipeline.decisions.campaigns.build",
    ("ad_policy", "policy_judgements"),
    spark=False,
    daily=False,
)
INTERVENE = Step(
    "intervene",
    "pipeline.decisions.interventions.build",
    ("interventions",),
    spark=False,
    daily=False,
)
UPLIFT = Step(
    "uplift",
    "pipeline.decisions.uplift.build",
    ("user_uplift", "uplift_judgements"),
    spark=False,
    daily=False,
)

# Of the hourly DAG: what landed since the base night, for the users it is about.
REFRESH = Step("refresh", "spark_jobs/refresh_users.py", ("user_history_intraday",), key="hour")
RESCORE = Step("rescore", "training.rescore", ("user_features_intraday",), spark=False, key="hour")
PATCH = Step("patch", "pipeline.intraday.patch", ("intraday_refreshes",), spark=False, key="hour")
INTRADAY_STEPS = (REFRESH, RESCORE, PATCH)
# Of a DAG of its own, triggered by `user_features_intraday`.
LEARN = Step("learn", "training.learn_hourly", ("hourly_judgements",), spark=False, key="hour")

STEPS = (
    INGEST,
    CLEAN,
    SESSIONIZE,
    CATALOGUE,
    ACCUMULATE,
    ENCODE,
    REVIEWS,
    TOPICS,
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
# Without Airflow: branches of a stage run side by side, the steps of a branch one after the other.
STAGES = (
    ((INGEST, CLEAN),),
    ((CATALOGUE, ENCODE), (ACCUMULATE,), (SESSIONIZE,), (REVIEWS,), (EXAMPLES,)),
    ((TRAIN, EVALUATE, PROMOTE), (TOPICS, PROFILE)),
    ((SCORE,),),
    ((SEGMENT,), (SERVE,)),
    ((REPORT,),),
)
TRAINING_STEPS = (EXAMPLES, TRAIN, EVALUATE, PROMOTE)  # only when there is no champion yet


def step_named(name: str) -> Step:
    """The step of that name; StopIteration when there is none."""
    return next(step for step in STEPS if step.name == name)
