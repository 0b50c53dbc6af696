"""The night of one day through Airflow, followed to its end."""

import signal
import sys
import time
from urllib.parse import quote

from pipeline.airflow import servers
from pipeline.airflow.environment import address
from pipeline.airflow.follow import Tasks, follow, name
from pipeline.airflow.rest import AirflowClient
from pipeline.airflow.start import DAG_ID, alone, begin, idle, pid_folder, require_running, wait
from pipeline.commands.repair import repair
from pipeline.commands.run import show, warn
from pipeline.orchestration.range_load import load_range
from pipeline.orchestration.steps import ENCODE
from pipeline.report.summary import summarise
from pipeline.runtime.days import parse_day, shift
from pipeline.runtime.errors import LandingError, OrchestrationError
from pipeline.runtime.processes import error_line
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import landed_days, missing
from pipeline.sources.sample import generate
from pipeline.sources.sample.declare import declare
from pipeline.storage.arrivals import require_complete
from pipeline.storage.lineage import Lineage
from pipeline.storage.reading import loaded

DECISIONS = "ad_policy"  # the DAG of ads, interventions, uplift and experiments
SAMPLE_EVENTS, SAMPLE_DAYS, SAMPLE_SEED = 200_000, 90, 7


def run_night(settings: Settings, asked: str | None, allow_empty: bool, incomplete: bool = False) -> None:
    """Runs the day that is asked for, or the latest that landed, after the landed days before it.

    The decisions made from its features follow: ads, interventions, uplift, experiments.

    Raises LandingError when one of the days is not complete, unless `incomplete` days are taken as they are, and
    OrchestrationError when the run fails. Stops the servers that it started.
    """
    started = time.monotonic()
    settings = settings.model_copy(update={"allow_empty": allow_empty or settings.allow_empty})
    made = not landed_days(settings)  # a sample is whole from the start
    ds = _day(asked, settings)
    warn(settings)
    if not incomplete and not made:
        require_complete(settings, [*earlier_days(settings, ds), ds])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("error: terminated"))  # by way of `finally`
    with alone(settings):
        ours = idle(settings)
        try:
            begin(settings, scheduled=False)
            load_earlier(settings, ds)
            client = wait(settings)
            finish(settings, ds, client, DAG_ID, trigger(client, DAG_ID, ds, settings.allow_empty, incomplete or made))
            finish(settings, ds, client, DECISIONS, trigger(client, DECISIONS, ds))
            print(*summarise(settings, ds), sep="\n")
            print(f"Data Docs       {settings.reports}; `make up` serves them, Airflow and MLflow")
        finally:
            servers.stop(pid_folder(settings), ours)
    print(f"{ds}: done in {time.monotonic() - started:.0f} s")


def earlier_days(settings: Settings, ds: str) -> list[str]:
    """The landed days before `ds` that were never published."""
    known = loaded("events", settings)
    return sorted(day for day in landed_days(settings) if day < ds and day not in known)


def load_earlier(settings: Settings, ds: str) -> None:
    """Loads the landed days before `ds` that were never published, through history and vectors; repairs what is
    stale."""
    if earlier := earlier_days(settings, ds):
        print(f"{earlier[0]}..{earlier[-1]}: loading {len(earlier)} earlier days", flush=True)
        load_range(settings, earlier[0], earlier[-1], ENCODE, show)
    before = shift(ds, -1)
    if any(it.ds <= before for it in Lineage(settings).stale):
        repair(settings, None, before, dry_run=False, vanished=False, show=show)


def trigger(client: AirflowClient, dag: str, ds: str, allow_empty: bool = False, incomplete: bool = False) -> str:
    """Starts a run of a DAG for the partition; returns its path in the API."""
    client.patch(f"dags/{dag}", {"is_paused": False})
    run_id = f"manual__{ds}__{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"
    body = {
        "dag_run_id": run_id,
        "logical_date": None,
        "partition_key": ds,
        "conf": {"allow_empty": allow_empty, "incomplete": incomplete},
    }
    client.post(f"dags/{dag}/dagRuns", body)
    return f"dags/{dag}/dagRuns/{quote(run_id)}"


def finish(settings: Settings, ds: str, client: AirflowClient, dag: str, run_path: str) -> None:
    """Follows the run to its end. Raises OrchestrationError when it failed."""
    for message in missing(settings, ds):
        print(f"waiting for {message}", flush=True)
    state, tasks = follow(client, run_path, lambda: require_running(settings))
    page = f"{address(settings)}/{run_path.replace('dagRuns', 'runs')}"
    if state != "success":
        raise OrchestrationError(f"{dag} {ds}: {failures(client, run_path, tasks)}; see {page}")
    print(f"{dag}: {page}", flush=True)


def failures(client: AirflowClient, run_path: str, tasks: Tasks) -> str:
    """The failed tasks, each with the line of its log that says why."""
    failed = [task for task in tasks if task["state"] == "failed"]
    lines = [f"{name(task)}: {error_line(client.log(run_path, task))}" for task in failed]
    return "; ".join(lines) or "failed without a failed task"


def _day(asked: str | None, settings: Settings) -> str:
    if not landed_days(settings):
        print(f"nothing has landed: making {SAMPLE_EVENTS:,} sample events", flush=True)
        declare(settings.home)  # first: once a day has landed, nothing is declared any more
        generate(settings.landing, events=SAMPLE_EVENTS, days=SAMPLE_DAYS, seed=SAMPLE_SEED)
    days = landed_days(settings)
    if not days:
        raise LandingError(f"{settings.landing}: expected landed files, found none")
    return parse_day(asked) if asked else days[-1]
