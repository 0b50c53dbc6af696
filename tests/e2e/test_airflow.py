"""A home from nothing to features, through a real Airflow scheduler.

First a night with all that comes before it, then a backfill of two days at once (one of them done
before), then the same days as a range: none of it may publish anything twice.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.airflow import servers
from pipeline.airflow.start import begin, pid_folder, wait
from pipeline.orchestration.steps import DECISION_STEPS, NIGHT
from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings, load_settings
from pipeline.sources.landing import landed_days
from pipeline.sources.sample import generate
from pipeline.storage.publications import Publication
from pipeline.storage.reading import published, read
from pipeline.tables.registry import TABLES

pytestmark = pytest.mark.e2e

EVENTS, DAYS = 12_000, 76
PATIENCE = 1800  # seconds for the backfill; a busy machine is slow


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A home with landed days and an Airflow of its own."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("e2e")
        variables = {
            "HOME": home,
            "AIRFLOW_PORT": free_port(),
            "TRAIN_PRESET": "tiny",
            "SPARK_PARTITIONS": 2,
            "RETRY_SECONDS": 1,
            "ALLOW_EMPTY": "true",
        }
        for name, value in variables.items():
            patch.setenv(f"TIDEMARK_{name}", str(value))
        settings = load_settings()
        generate(settings.landing, events=EVENTS, days=DAYS, seed=5)
        try:
            begin(settings, scheduled=False)
            yield SimpleNamespace(settings=settings, client=wait(settings))
        finally:
            servers.stop_all(pid_folder(settings))


@pytest.fixture(scope="module")
def last(airflow: SimpleNamespace) -> str:
    """The last landed day."""
    return landed_days(airflow.settings)[-1]


@pytest.fixture(scope="module")
def night(airflow: SimpleNamespace, last: str) -> subprocess.CompletedProcess[str]:
    """The night before the last, as a person starts it."""
    return call("-m", "pipeline", "nightly", "--ds", shift(last, -1))


@pytest.fixture(scope="module")
def after_backfill(airflow: SimpleNamespace, last: str, night: object) -> dict[str, dict[str, Publication]]:
    """Both last days as a backfill with two active runs; what is published then."""
    days = ["--from-date", shift(last, -1), "--to-date", last]
    kind = ["--max-active-runs", "2", "--reprocess-behavior", "completed"]
    done = call("-m", "pipeline", "airflow", "backfill", "create", "--dag-id", "nightly_features", *days, *kind)
    assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = airflow.client.get("dags/nightly_features/dagRuns?run_type=backfill")["dag_runs"]
        states = {run["partition_key"]: run["state"] for run in found}
        if len(states) == 2 and not set(states.values()) & {"queued", "running"}:
            break
        time.sleep(2)
    assert states == {shift(last, -1): "success", last: "success"}
    return publications(airflow.settings)


def test_the_night_ends_well_and_says_what_it_did(night: subprocess.CompletedProcess) -> None:
    assert night.returncode == 0, night.stdout[-3000:] + night.stderr
    landed = re.search(
        r"rows landed +([\d,]+) = ([\d,]+) events \+ ([\d,]+) duplicates \+ ([\d,]+) quarantined",
        night.stdout,
    )
    assert landed, night.stdout
    total, *parts = (int(number.replace(",", "")) for number in landed.groups())
    assert total == sum(parts) > 0
    assert re.search(r"users scored +\d+ by model 1\b", night.stdout)


def test_the_first_night_trained_a_champion(airflow: SimpleNamespace, last: str, night: object) -> None:
    runs = airflow.client.get("dags/nightly_features/dagRuns?run_type=manual")["dag_runs"]
    (run,) = (run for run in runs if run["partition_key"] == shift(last, -1))
    path = f"dags/nightly_features/dagRuns/{run['dag_run_id']}/taskInstances?limit=200"
    states = {task["task_id"]: task["state"] for task in airflow.client.get(path)["task_instances"]}
    assert states["first_champion.promote"] == "success"
    assert set(states.values()) == {"success"}


def test_every_active_user_is_scored_once(airflow: SimpleNamespace, last: str, after_backfill: object) -> None:
    for ds in (shift(last, -1), last):
        users = read("user_features", ds, airflow.settings)["user_id"].to_pylist()
        expected = read("user_history", ds, airflow.settings)["user_id"].to_pylist()
        assert len(users) == len(set(users)) > 0
        assert set(users) == set(expected)


def test_a_day_done_before_was_not_published_again(
    last: str, night: object, after_backfill: dict[str, dict[str, Publication]]
) -> None:
    by = {name: days[shift(last, -1)].run for name, days in after_backfill.items() if shift(last, -1) in days}
    dags = {table: "nightly_features" for step in NIGHT for table in step.writes}
    dags |= {table: "ad_policy" for step in DECISION_STEPS for table in step.writes}
    assert {name: run.partition(".manual__")[0] for name, run in by.items()} == dags


def test_the_range_load_gives_the_rows_of_the_backfill(
    airflow: SimpleNamespace, last: str, after_backfill: dict[str, dict[str, Publication]]
) -> None:
    done = call("-m", "pipeline", "run", "--from", shift(last, -1), "--to", last, "--until", "encode")
    assert done.returncode == 0, done.stdout + done.stderr
    assert publications(airflow.settings) == after_backfill


def test_downstream_dags_are_told_the_partition(airflow: SimpleNamespace, last: str, after_backfill: object) -> None:
    events = airflow.client.get("assets/events?order_by=timestamp")["asset_events"]
    keys = [(event["name"], event["partition_key"]) for event in events]
    decided = {("ad_policy", shift(last, -1)), ("interventions", shift(last, -1))}  # by the night alone
    assert set(keys) == {("user_features", shift(last, -1)), ("user_features", last)} | decided


def publications(settings: Settings) -> dict[str, dict[str, Publication]]:
    return {name: published(name, settings) for name in TABLES}


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
