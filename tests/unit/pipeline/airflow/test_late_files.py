"""Files that land late update an asset, and that starts the DAG `repair`, before its hour."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.airflow import triggers
from pipeline.airflow.environment import airflow_environment
from pipeline.airflow.triggers import LateFiles
from pipeline.runtime.errors import LandingError
from pipeline.runtime.settings import Settings
from pipeline.sources.landed_file import inspect
from pipeline.sources.landing import find_source
from pipeline.sources.ledger import entry
from pipeline.storage import staging
from pipeline.storage.inputs import Inputs
from pipeline.storage.publish import publish
from pipeline.tables.registry import RAW_EVENTS
from tests.unit.spark_jobs.landed_shop import HEADER, land, open_shop

DAY, LATER, NEWEST = "2026-03-02", "2026-03-03", "2026-03-09"
PROJECT = Path(__file__).parents[4]


@pytest.fixture
def shop(home: Settings) -> Settings:
    """A shop of which two days are loaded, one of them with a file that is named."""
    open_shop(home)
    for ds in (DAY, LATER):
        land(home, f"shop/{ds}.csv", HEADER)
        load(home, ds)
    return home


def load(settings: Settings, ds: str) -> None:
    """Publishes a day of raw events as made of the files that lie there."""
    source, run = find_source(settings, "shop"), f"run-{ds}"
    names = [path.relative_to(settings.landing).as_posix() for path in settings.landing.glob(f"shop/{ds}*")]
    read = [entry(source, inspect(settings.landing / name, name, ds, source.delivery, False)) for name in names]
    attempt = staging.begin(settings, RAW_EVENTS.name, run)
    staging.complete(attempt, [ds], {ds: []}, Inputs.of(settings).as_json(), None, read)
    receipt = staging.Receipt(RAW_EVENTS.name, run, {"all": attempt.path.name}, {ds: {"rows": 0, "digest": ds}}, 0.0)
    staging.write_receipt(settings, receipt)
    publish(settings, RAW_EVENTS, run)


def names(found: frozenset[str]) -> set[str]:
    return {it.partition(" ")[0] for it in found}


def test_late_are_files_that_a_repair_reads(shop: Settings) -> None:
    assert LateFiles().look() == frozenset()
    land(shop, f"shop/{DAY}-more.csv", HEADER)
    land(shop, f"shop/{LATER}.csv", HEADER + "ann,view,a,2026-03-03 10:00:00,\n")
    land(shop, "shop/2026-03-01.csv", HEADER)  # never loaded, and later days are
    land(shop, f"shop/{NEWEST}.csv", HEADER)  # its night is to come
    assert names(LateFiles().look()) == {f"shop/{DAY}-more.csv", f"shop/{LATER}.csv", "shop/2026-03-01.csv"}


def events(trigger: LateFiles, looks: list[object], monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The files of the events that come of these looks, one after another."""

    class Over(BaseException):
        pass

    def look() -> frozenset[str]:
        if not looks:
            raise Over
        found = looks.pop(0)
        if isinstance(found, Exception):
            raise found
        return frozenset(str(found).split())

    async def told() -> list[list[str]]:
        said: list[list[str]] = []
        try:
            async for event in trigger.run():
                said.append(event.payload["files"])
        except Over:
            return said

    monkeypatch.setattr(trigger, "look", look)
    monkeypatch.setattr(triggers, "LOOK_SECONDS", 0.0)
    return asyncio.run(told())


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        pytest.param(["", "", ""], [], id="nothing is late"),
        pytest.param(["a1", "a2", "a3", "a3", "a3"], [["a3"]], id="once, when it lies still"),
        pytest.param(["a1", "a1 b1", "a1 b1"], [["a1"], ["b1"]], id="a second file"),
        pytest.param(["a1", "a1", "", "a1", "a1"], [["a1"], ["a1"]], id="late again after a repair"),
        pytest.param(["a1", "a1", "a2", "a2"], [["a1"], ["a2"]], id="changed once more"),
        pytest.param(["a1", LandingError("no disk"), "a1"], [["a1"]], id="a look fails"),
    ],
)
def test_an_event_comes_once_for_each_file_that_lies_still(
    looks: list[object], told: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert events(LateFiles(), looks, monkeypatch) == told


SCHEDULER = """
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models import DagModel, DagRun
from airflow.models.trigger import Trigger
from airflow.triggers.base import TriggerEvent
from airflow.utils import db
from airflow.utils.session import create_session
from airflow.utils.sqlalchemy import prohibit_commit
from sqlalchemy import select, update

db.initdb()
DagBundlesManager().sync_bundles_to_db()
bag = DagBag(str(Path("dags/repair.py").resolve()), bundle_path=Path("dags").resolve(), bundle_name="dags-folder")
for _ in range(2):  # an asset is active once its DAG is known
    sync_bag_to_db(bag, "dags-folder", None)
with create_session() as session:  # in the minutes after its hour a new DAG is due
    session.execute(update(DagModel).values(next_dagrun_create_after=datetime.now(UTC) + timedelta(hours=1)))


def runs():
    with create_session() as session, prohibit_commit(session) as guard:
        SchedulerJobRunner(job=Job())._create_dagruns_for_dags(guard, session)
    with create_session() as session:
        return [(run.dag_id, str(run.run_type), run.partition_key) for run in session.scalars(select(DagRun))]


print("before:", runs())
with create_session() as session:
    (watcher,) = session.scalars(select(Trigger))
    print("watcher:", watcher.classpath)
    Trigger.submit_event(watcher.id, TriggerEvent({}), session=session)
print("after:", runs())
"""


def test_the_scheduler_starts_a_repair_when_the_triggerer_says_that_files_are_late(home: Settings) -> None:
    """In the scheduler's own functions on a database of its own: an event with a partition key would start no run."""
    home.airflow.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SCHEDULER],
        env={**airflow_environment(home), "PYTHONPATH": str(PROJECT)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = [line for line in done.stdout.splitlines() if line.partition(":")[0] in ("before", "watcher", "after")]
    assert said == [
        "before: []",
        "watcher: pipeline.airflow.triggers.LateFiles",
        "after: [('repair', 'asset_triggered', None)]",
    ]
