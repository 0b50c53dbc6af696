"""Start Airflow on this machine: database, API server, scheduler, DAG processor, pools."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.airflow import servers
from pipeline.airflow.environment import address, airflow_environment, pool_slots
from pipeline.airflow.rest import AirflowClient
from pipeline.airflow.servers import Server
from pipeline.orchestration.step_commands import BINARIES
from pipeline.runtime.errors import OrchestrationError
from pipeline.runtime.private import make_home, private_file
from pipeline.runtime.settings import Settings

DAG_ID = "nightly_features"
START_SECONDS = 180.0


def pid_folder(settings: Settings) -> Path:
    """Where the pid files and logs of our servers are."""
    return settings.airflow / "servers"


def airflow_servers(settings: Settings, scheduled: bool = True) -> list[Server]:
    """Airflow's processes. The triggerer waits for landing files, and sends what is late."""
    airflow = str(BINARIES / "airflow")
    environment = airflow_environment(settings, scheduled)
    # The API server reads task logs from disk, so the scheduler need not serve them on a port.
    return [
        Server(
            "airflow-api",
            [airflow, "api-server"],
            environment,
            settings.airflow_port,
            "TIDEMARK_AIRFLOW_PORT",
        ),
        Server("airflow-scheduler", [airflow, "scheduler", "--skip-serve-logs"], environment),
        Server("airflow-dag-processor", [airflow, "dag-processor"], environment),
        Server("airflow-triggerer", [airflow, "triggerer", "--skip-serve-logs"], environment),
    ]


def idle(settings: Settings) -> list[str]:
    """The names of Airflow's processes that do not run."""
    names = [server.name for server in airflow_servers(settings)]
    return [name for name in names if not servers.find(pid_folder(settings), name)]


def require_running(settings: Settings) -> None:
    """Raises OrchestrationError when one of Airflow's processes has ended, without which a run may never end."""
    if ended := idle(settings):
        logs = ", ".join(f"{pid_folder(settings)}/{name}.log" for name in ended)
        raise OrchestrationError(
            f"{', '.join(ended)}: expected to run until the night is over, found it ended; log: {logs}; run again, "
            "what is published stays"
        )


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """One night at a time on a home: two would start the same servers. Raises OrchestrationError for the second."""
    make_home(settings.home)
    settings.airflow.mkdir(exist_ok=True)
    lock = FileLock(settings.airflow / "night.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise OrchestrationError(
            f"nightly: another night is under way in {settings.home}; wait for its end, or use another home"
        ) from None
    with lock:
        yield


def begin(settings: Settings, scheduled: bool) -> None:
    """Migrates the database and starts what does not run yet, without waiting for it."""
    programs = airflow_servers(settings, scheduled)
    if programs[0].name in idle(settings):
        servers.require_free_port(programs[0])
    migrate(settings)
    for server in programs:
        servers.start(pid_folder(settings), server)


def wait(settings: Settings) -> AirflowClient:
    """Waits until Airflow can run the night; sets its pools."""
    client = AirflowClient(address(settings))
    names = [server.name for server in airflow_servers(settings)]
    servers.wait_until(lambda: client.is_ready(DAG_ID), pid_folder(settings), names, START_SECONDS)
    for name, slots in pool_slots().items():
        client.set_pool(name, slots)
    return client


def migrate(settings: Settings) -> None:
    """Creates or migrates Airflow's database; at once when this version did so before."""
    stamp = settings.airflow / "migrated"
    wanted = version("apache-airflow-core")
    if stamp.exists() and stamp.read_text() == wanted:
        return
    make_home(settings.home)
    private_file(settings.airflow / "airflow.db")
    command = [str(BINARIES / "airflow"), "db", "migrate"]
    environment = airflow_environment(settings)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no output"]
        raise OrchestrationError(f"airflow db migrate: {lines[-1]}")
    stamp.write_text(wanted)
