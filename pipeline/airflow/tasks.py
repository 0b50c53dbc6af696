"""The parts that the DAGs are drawn from: waits, steps (job >> audit >> publish), scoring."""

import re
from datetime import timedelta
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import BaseOperator, TaskGroup

from pipeline.airflow import waits
from pipeline.airflow.environment import TORCH_SLOTS
from pipeline.airflow.operators import Audit, Await, Command, Experiment, Report
from pipeline.orchestration import step_commands
from pipeline.orchestration.steps import REPORT, SCORE, TRAIN, TRAINING_STEPS, Step
from pipeline.runtime.settings import Settings

DAY = "{{ dag_run.partition_key }}"  # of hourly DAGs it is the hour
RUN = "{{ dag.dag_id }}.{{ dag_run.run_id | slug }}"
VERSION = "{{ ti.xcom_pull(task_ids='score.choose_champion') }}"
ALLOW_EMPTY = {"TIDEMARK_ALLOW_EMPTY": "{{ params.allow_empty | default(false) | lower }}"}
DEFAULT_POOL = "default_pool"  # Airflow's own
TIMES_TRIED_AGAIN = {"audit": 0, "train": 1}  # a failed audit stays failed; training resumes
POKE_SECONDS = 10.0
LONGEST_POKE = timedelta(minutes=5)

DOCS = {
    "ingest": "Reads landed files into `raw_events`, users pseudonymised; refuses a damaged file.",
    "clean": "Splits raw rows into `events`, duplicates, `quarantine`; accounts for every row.",
    "sessionize": "Builds the sessions that closed on the day.",
    "catalogue": "Merges item attributes into the state of the catalogue as of the day.",
    "accumulate": "Merges the day's events into each user's history.",
    "encode": "Encodes the text of items that are new or changed.",
    "reviews": "Reads the sentiment of review texts; learns it from the ratings beside them.",
    "topics": "Assigns items to interest topics, which keep their ids from night to night.",
    "profile": "Tells each user's interests, their drift, and what else behaviour tells.",
    "examples": "Builds training examples: users as known at a cut-off, and what they did next.",
    "train": "Trains a challenger with torchrun, one MLflow run; a retry resumes.",
    "evaluate": "Ranks the later window with the challenger and the baselines.",
    "promote": "Makes the challenger champion when it is not worse.",
    "ad_policy": "Judges each campaign's challenger on the log; decides who is shown what.",
    "intervene": "Lists whom to turn to tomorrow, with reason and suggested action.",
    "uplift": "Tells whom an ad changes, where an experiment lets one tell; else says why not.",
    "score": "Scores every user active in the window, bucket by bucket, with one champion.",
    "segment": "Names the users of each campaign segment; small segments are not exported.",
    "serve": "Loads the night into the online store, then switches readers over at once.",
    "refresh": "Histories, interests and signals of the users of newly landed files.",
    "rescore": "Scores those users with the champion.",
    "learn": "Judges what was learned before the hour on its events; learns them for the next.",
    "patch": "Writes their rows into the night that serves online; notes the files as taken.",
    "report": "Draws the nightly report, one page that needs nothing else.",
}


def slug(run_id: str) -> str:
    """A run id as a folder name."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", run_id)


def defaults(settings: Settings, owner: str) -> dict[str, Any]:
    """Arguments of every task: two more tries after short, growing pauses."""
    return {
        "owner": owner,
        "retries": 2,
        "retry_delay": timedelta(seconds=settings.retry_seconds),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
    }


def await_landing(settings: Settings) -> Await:
    """Waits until every source that delivers on the day has delivered."""
    doc = "Waits for the day's files. On time-out it fails and names the files that are missing."
    return _await(settings, "wait_for_landing", waits.landing, doc)


def await_earlier_days(settings: Settings) -> Await:
    """Waits until the landed days of the week before are published."""
    doc = "Waits until the landed days of the week before are published: they are built upon."
    return _await(settings, "wait_for_previous_day", waits.earlier_days, doc)


def await_earlier_topics(settings: Settings) -> Await:
    """Waits for the topics of the day before."""
    doc = "Waits for the topics of the night before: ids go on from there."
    return _await(settings, "wait_for_topics", waits.earlier_topics, doc)


def await_history(settings: Settings) -> Await:
    """Waits until the night that training reads from is published."""
    doc = "Waits until the nightly run has published the day's histories and item vectors."
    return _await(settings, "wait_for_history", waits.history, doc)


def await_segments(settings: Settings) -> Await:
    """Waits for the members of segments where a campaign names some."""
    doc = "Waits until `segment_members` is published, where a campaign has an `audience`."
    return _await(settings, "wait_for_segments", waits.segments, doc)


def step_group(settings: Settings, step: Step, **kwargs: Any) -> TaskGroup:
    """One step: its job, then the audit of what it staged, then the publish (`kwargs`)."""
    with TaskGroup(step.name, tooltip=DOCS[step.name]) as group:
        job(settings, step) >> audit(step) >> publish(step, **kwargs)
    return group


def job(settings: Settings, step: Step, task_id: str = "job", more: tuple[str, ...] = ()) -> BaseOperator:
    """Computes the step; as the same command that a person types."""
    common: dict[str, Any] = {"task_id": task_id, "doc_md": DOCS[step.name]}
    if step.name in TIMES_TRIED_AGAIN:
        common["retries"] = TIMES_TRIED_AGAIN[step.name]
    if step.spark:
        return SparkSubmitOperator(
            application=str(step_commands.program(step)),
            application_args=step_commands.arguments(step, DAY, DAY, RUN),
            name=step.name,
            driver_memory=settings.spark_memory,
            conf={"spark.driver.extraJavaOptions": step_commands.java_options(settings)},
            env_vars=ALLOW_EMPTY,
            pool="spark",
            **common,
        )
    kind = Report if step is REPORT else Experiment if step in TRAINING_STEPS else Command
    command = [*step_commands.job(step, settings, DAY, DAY, RUN), *more]
    torch = step.program.startswith("training.")
    pool, slots = ("torch", TORCH_SLOTS) if torch else (DEFAULT_POOL, 1)
    return kind(command=command, pool=pool, pool_slots=slots, **common)


def audit(step: Step) -> Audit:
    """Expectations against what was staged. Never tried again: the rows will not improve."""
    return Audit(
        task_id="audit",
        command=step_commands.audit(step, RUN),
        retries=TIMES_TRIED_AGAIN["audit"],
        doc_md=f"Great Expectations on staged {', '.join(f'`{table}`' for table in step.tables)}. "
        "Failed: nothing is published; the **Data Docs** link shows which expectation and rows.",
    )


def publish(step: Step, **kwargs: Any) -> Command:
    """One fenced transaction per table; the same content again is a no-op."""
    return Command(
        task_id="publish",
        command=step_commands.publish(step, RUN),
        doc_md="Makes the audited files visible in one fenced transaction. Again: a no-op.",
        **kwargs,
    )


def training_tasks(settings: Settings, warm_start: bool = False) -> TaskGroup:
    """Examples, then train >> evaluate >> promote: what makes a champion."""
    examples, *model_steps = TRAINING_STEPS
    group = step_group(settings, examples)
    last: Any = group
    for step in model_steps:
        more = ("--warm-start",) if warm_start and step is TRAIN else ()
        task = job(settings, step, step.name, more)
        last >> task
        last = task
    return group


def first_champion_group(settings: Settings) -> TaskGroup:
    """Trains the first champion; skipped when there is one."""
    with TaskGroup("first_champion", tooltip="Only when no model is champion yet") as group:
        check = Command(
            task_id="is_there_none",
            command=step_commands.champion(),
            expected=step_commands.NO_CHAMPION,
            skip_on=0,
            doc_md="Skipped, with all of this group, when a champion exists.",
        )
        check >> training_tasks(settings)
    return group


def training_of(group: TaskGroup) -> Any:
    """The task of a group that reads histories and item vectors; the ones before it need events."""
    return group.get_child_by_label(TRAIN.name)


def score_group(settings: Settings, outlet: Any) -> TaskGroup:
    """Every bucket of users scored by one version, then audited and published together."""
    with TaskGroup(SCORE.name, tooltip=DOCS[SCORE.name]) as group:
        choose = Command(
            task_id="choose_champion",
            command=step_commands.champion(),
            trigger_rule="none_failed",
            do_xcom_push=True,
            doc_md="Fixes the model version for the whole run.",
        )
        buckets = range(settings.score_buckets)
        jobs = Command.partial(
            task_id="job",
            pool="torch",
            map_index_template="bucket {{ ti.map_index }}",
            doc_md="Scores one bucket of users; each bucket is tried again by itself.",
        ).expand(command=[step_commands.score_bucket(SCORE, settings, DAY, RUN, bucket, VERSION) for bucket in buckets])
        choose >> jobs >> audit(SCORE) >> publish(SCORE, outlets=[outlet])
    return group


def find_base() -> Command:
    """Skips the refresh of an hour whose night is published."""
    return Command(
        task_id="find_base",
        command=step_commands.base_night(DAY),
        skip_on=step_commands.SUPERSEDED,
        doc_md="The night that the refresh goes on from. Skipped, with all that follows, when the "
        "night of the day is published: it has superseded the refresh.",
    )


def summarise() -> Command:
    """Prints what the night published."""
    command = step_commands.summary(DAY)
    doc = "Rows landed and accounted, sessions, users scored; the last lines of its log."
    return Command(task_id="summary", command=command, doc_md=doc)


def maintain() -> Command:
    """Expires old snapshots, removes files that nothing refers to."""
    doc = "Prints how many snapshots and files of each table went."
    return Command(task_id="maintain", command=step_commands.maintenance(), doc_md=doc)


def _await(settings: Settings, task_id: str, missing: Any, doc: str) -> Await:
    return Await(
        task_id=task_id,
        missing=missing,
        settings=settings,
        ds=DAY,
        poke_interval=POKE_SECONDS,
        exponential_backoff=True,
        max_wait=LONGEST_POKE,
        timeout=settings.landing_timeout_minutes * 60,
        doc_md=doc,
    )
