"""What the DAGs are drawn from: the graph of steps (job >> release), waits, scoring."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, TaskGroup

from pipeline.airflow import notices, waits
from pipeline.airflow.environment import TORCH_SLOTS
from pipeline.airflow.operators import (
    TRIGGER_GRACE,
    Await,
    AwaitLanding,
    Command,
    Experiment,
    Release,
    Report,
    SparkJob,
)
from pipeline.orchestration import step_commands
from pipeline.orchestration.graph import Step, before
from pipeline.orchestration.step_commands import portable
from pipeline.orchestration.steps import ADAPT, ADAPT_STEPS, NIGHT, REPORT, SCORE, TRAIN, TRAINING_STEPS
from pipeline.runtime.settings import Settings

DAY = "{{ dag_run.partition_key }}"  # of hourly DAGs it is the hour
RUN = "{{ dag.dag_id }}.{{ dag_run.run_id | slug }}"
# The champion that the night found; else the one that it trained (last line of `promote`).
CHAMPION = "champion"
VERSION = (
    "{{ ti.xcom_pull(task_ids='first_champion.is_there_none', key='champion')"
    " or (ti.xcom_pull(task_ids='first_champion.promote') or '').partition(': ')[2] }}"
)
NAMED_VERSION = "{{ params.model_version | default('', true) }}"
ALLOW_EMPTY = {"TIDEMARK_ALLOW_EMPTY": "{{ params.allow_empty | default(false) | lower }}"}
WESTERNMOST = timedelta(hours=26)  # between the first and the last zone in which a day is over
DEFAULT_POOL = "default_pool"  # Airflow's own
TIMES_TRIED_AGAIN = {TRAIN.name: 1}  # it resumes, and it is long
POKE_SECONDS = 10.0
LONGEST_POKE = timedelta(minutes=5)


def slug(run_id: str) -> str:
    """A run id as a folder name."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", run_id)


def defaults(settings: Settings, owner: str) -> dict[str, Any]:
    """Arguments of every task: two more tries after short, growing pauses, an end to each, a notice of failure."""
    return {
        "owner": owner,
        "retries": 2,
        "retry_delay": timedelta(seconds=settings.retry_seconds),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(minutes=settings.task_timeout_minutes),
        "on_failure_callback": notices.on_failure(settings),
    }


def await_landing(settings: Settings) -> AwaitLanding:
    """Waits until the day is complete at every source that delivers on it."""
    return AwaitLanding(
        task_id="wait_for_landing",
        settings=settings,
        ds=DAY,
        timeout=(timeout := timedelta(minutes=settings.landing_timeout_minutes)),
        # Counts the time in the triggerer too, and the days of platforms in the west.
        execution_timeout=timeout + 2 * TRIGGER_GRACE + WESTERNMOST,
        doc_md="Waits, in the triggerer, until each source says that its day is complete. On time-out it fails and "
        "names what is missing.",
    )


def await_earlier_days(settings: Settings) -> Await:
    """Waits until all landed days before are published."""
    doc = "Waits until all landed days before are published: they are built upon."
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


def night_groups(settings: Settings, outlets: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """The tasks of a night by step, in the order of the graph. `outlets`: assets that a release of a step updates.

    The training steps are a group of their own, which is skipped when a model is champion.
    """
    drawn: dict[str, Any] = {}
    entry: dict[str, Any] = {}  # where a step begins, if not with its own tasks
    with TaskGroup("first_champion", tooltip="Only while no model is champion") as first_champion:
        drawn |= {step.name: step_tasks(settings, step) for step in TRAINING_STEPS}
        gate = Command(
            task_id="is_there_none",
            command=portable(step_commands.champion(DAY, NAMED_VERSION)),
            expected=step_commands.NO_CHAMPION,
            skip_on=0,
            keep_as=CHAMPION,
            doc_md="Asks for the version that the whole night scores with: the champion of the day, or the parameter "
            "`model_version`. Where there is one, the rest of this group is skipped. A day before the first champion "
            "fails here: the message says which version could be named.",
        )
        first, *_ = TRAINING_STEPS
        gate >> drawn[first.name]
        entry[first.name] = gate
    for step in NIGHT:
        if not step.training:
            assets = outlets.get(step.name, ())
            drawn[step.name] = score_group(settings, assets) if step is SCORE else step_tasks(settings, step, assets)
    for step in NIGHT:
        for earlier in before(step, NIGHT):
            drawn[earlier.name] >> entry.get(step.name, drawn[step.name])
    drawn["first_champion"] = first_champion
    return drawn


def step_tasks(settings: Settings, step: Step, outlets: Sequence[Any] = ()) -> Any:
    """A step: its job, then the release of its tables; one task where it writes none."""
    if not step.writes:
        return job(settings, step, step.name)
    with TaskGroup(step.name, tooltip=step.about) as group:
        job(settings, step) >> release(step, outlets)
    return group


def job(settings: Settings, step: Step, task_id: str = "job", more: tuple[str, ...] = ()) -> BaseOperator:
    """Computes the step, with the same command that a person types."""
    common: dict[str, Any] = {"task_id": task_id, "doc_md": step.about}
    if step.name in TIMES_TRIED_AGAIN:
        common["retries"] = TIMES_TRIED_AGAIN[step.name]
    if step.spark:
        return SparkJob(
            application=step.program,
            application_args=step_commands.arguments(step, DAY, DAY, RUN),
            name=step.name,
            env_vars=ALLOW_EMPTY,
            durable=False,  # a job that is tried again stages anew; to find its driver again takes YARN's REST API
            pool="spark",
            execution_timeout=timedelta(minutes=settings.spark_timeout_minutes),
            **common,
        )
    kind = Report if step is REPORT else Experiment if step in (*TRAINING_STEPS, ADAPT) else Command
    command = portable([*step_commands.job(step, settings, DAY, DAY, RUN), *more])
    torch = step.program.startswith("training.")
    pool, slots = ("torch", TORCH_SLOTS) if torch else (DEFAULT_POOL, 1)
    if torch:
        common["execution_timeout"] = timedelta(minutes=settings.torch_timeout_minutes)
    return kind(command=command, pool=pool, pool_slots=slots, **common)


def release(step: Step, outlets: Sequence[Any] = ()) -> Release:
    """Audits what the step staged, then publishes it. A failed audit is final: the rows will not improve."""
    tables = ", ".join(f"`{table}`" for table in step.writes)
    return Release(
        task_id="release",
        command=portable(step_commands.release(step, RUN)),
        outlets=list(outlets),
        doc_md=f"Audits staged {tables}, then makes them visible, each in one fenced transaction; again: a no-op. "
        "A failed audit publishes nothing and is not tried again; the **Data Docs** link of the table shows which "
        "expectation failed, and on which rows.",
    )


def training_tasks(settings: Settings, warm_start: bool = False) -> Any:
    """Examples, then train >> evaluate >> promote: what makes a challenger, and maybe a champion."""
    drawn: dict[str, Any] = {}
    for step in TRAINING_STEPS:
        more = ("--warm-start",) if warm_start and step is TRAIN else ()
        drawn[step.name] = step_tasks(settings, step) if step.writes else job(settings, step, step.name, more)
        for earlier in before(step, TRAINING_STEPS):
            drawn[earlier.name] >> drawn[step.name]
    return drawn[TRAINING_STEPS[0].name]


def adapt_tasks(settings: Settings) -> Any:
    """adapt >> promote_encoder: what makes an adapted text encoder, and maybe lets later nights use it."""
    first, last = (step_tasks(settings, step) for step in ADAPT_STEPS)
    first >> last
    return first


def score_group(settings: Settings, outlets: Sequence[Any]) -> TaskGroup:
    """Every bucket of users scored by one version, then released together."""
    with TaskGroup(SCORE.name, tooltip=SCORE.about) as group:
        buckets = range(settings.score_buckets)
        jobs = Command.partial(
            task_id="job",
            pool="torch",
            execution_timeout=timedelta(minutes=settings.torch_timeout_minutes),
            trigger_rule="none_failed",
            map_index_template="bucket {{ ti.map_index }}",
            doc_md="Scores one bucket of users; each bucket is tried again by itself.",
        ).expand(
            command=[
                portable(step_commands.score_bucket(SCORE, settings, DAY, RUN, bucket, VERSION)) for bucket in buckets
            ]
        )
        jobs >> release(SCORE, outlets)
    return group


def find_base() -> Command:
    """Skips the refresh of an hour whose night is published."""
    return Command(
        task_id="find_base",
        command=portable(step_commands.base_night(DAY)),
        skip_on=step_commands.SUPERSEDED,
        doc_md="The night that the refresh goes on from. Skipped, with all that follows, when the "
        "night of the day is published: it has superseded the refresh.",
    )


def repair(settings: Settings) -> None:
    """Says what is stale, then makes it again; skipped when nothing is."""
    tell = notices.TellStale(
        task_id="tell",
        settings=settings,
        doc_md="Prints what is stale and why, and sends it where somebody is to be told. Skipped when nothing is.",
    )
    again = Command(
        task_id="repair",
        command=portable(step_commands.repair()),
        execution_timeout=timedelta(minutes=settings.torch_timeout_minutes),  # as long as its longest steps, at least
        doc_md="Makes stale partitions again, in order, and prints each batch with its reason.",
    )
    tell >> again


def maintain() -> Command:
    """Expires old snapshots, removes files that nothing refers to."""
    doc = "Prints how many snapshots and files of each table went."
    return Command(task_id="maintain", command=portable(step_commands.maintenance()), doc_md=doc)


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
